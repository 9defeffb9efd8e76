"""Fields of forks that are accepted, since public texts have them, but ignored."""

from __future__ import annotations

from collections.abc import Iterator

from google.protobuf.message import Message

IGNORED: dict[str, frozenset[str]] = {
    "NetParameter": frozenset(
        [
            *("default_forward_type", "default_backward_type", "default_forward_math"),
            *("default_backward_math", "global_grad_scale", "global_grad_scale_adaptive"),
            *("default_conv_algos_override", "reduce_buckets", "default_cudnn_math_override"),
            *("eltwise_mem_sharing", "bn_stats_batch_size"),
            "multinode",
        ]
    ),
    "LayerParameter": frozenset(
        [
            *("forward_type", "backward_type", "forward_math", "backward_math"),
            *("cudnn_math_override", "multinode", "mn_activation_param"),
            *("mn_grad_compress_param", "quantization_param", "strict_dim"),
        ]
    ),
    "ConcatParameter": frozenset(["per_fla_fuse"]),
    "ConvolutionParameter": frozenset(["conv_algorithm"]),
    "DropoutParameter": frozenset(["scale_train"]),
    "InnerDistanceParameter": frozenset(["bias_term", "bias_filler"]),
    "MultiStageMeanfieldParameter": frozenset(["threshold"]),
    "SolverParameter": frozenset(
        [
            *("plateau_winsize", "solver_data_type", "store_blobs_in_old_format", "larc_turbo"),
            *("test_and_snapshot_last_epochs", "richness"),
        ]
    ),
}


def ignored_fields(message: Message) -> list[str]:
    """The ignored fields that are set, each once, such as ``layer.forward_type``.

    An engine of Intel's fork includes its value: ``layer.relu_param.engine: MKL2017``.
    """
    return list(dict.fromkeys(_ignored(message, "")))


def _ignored(message: Message, at: str) -> Iterator[str]:
    ignored = IGNORED.get(message.DESCRIPTOR.name, frozenset())
    for field, value in message.ListFields():
        if field.name in ignored:
            yield f"{at}{field.name}"
        elif field.name == "engine":
            name = (
                value if field.enum_type is None else field.enum_type.values_by_number[value].name
            )
            if name.startswith("MKL"):
                yield f"{at}engine: {name}"
        elif field.message_type is not None and field.name != "blobs":
            for each in value if field.is_repeated else [value]:
                yield from _ignored(each, f"{at}{field.name}.")


def ignored_notes(*messages: Message) -> list[str]:
    """Notes for the user about ignored fields."""
    names = [name for message in messages for name in ignored_fields(message)]
    return [f"{name} has no effect here" for name in dict.fromkeys(names)]
