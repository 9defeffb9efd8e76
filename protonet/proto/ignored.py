"""Fields of forks that are taken, since public texts have them, and that nothing here reads."""

from __future__ import annotations

from collections.abc import Iterator

from google.protobuf.message import Message

IGNORED: dict[str, frozenset[str]] = {
    "NetParameter": frozenset(
        [
            *("default_forward_type", "default_backward_type", "default_forward_math"),
            *("default_backward_math", "global_grad_scale", "global_grad_scale_adaptive"),
            *("default_conv_algos_override", "reduce_buckets", "default_cudnn_math_override"),
            "eltwise_mem_sharing",
        ]
    ),
    "LayerParameter": frozenset(
        [
            *("forward_type", "backward_type", "forward_math", "backward_math"),
            "cudnn_math_override",
        ]
    ),
    "SolverParameter": frozenset(
        [
            *("eval_type", "ap_version", "show_per_class_result", "plateau_winsize"),
            *("solver_data_type", "store_blobs_in_old_format", "larc_turbo"),
            "test_and_snapshot_last_epochs",
        ]
    ),
}


def ignored_fields(message: Message) -> list[str]:
    """The fields given that nothing reads, each once, such as ``layer.forward_type``."""
    return list(dict.fromkeys(_found(message, "")))


def _found(message: Message, at: str) -> Iterator[str]:
    ignored = IGNORED.get(message.DESCRIPTOR.name, frozenset())
    for field, value in message.ListFields():
        if field.name in ignored:
            yield f"{at}{field.name}"
        elif field.name in ("layer", "net_param", "train_net_param", "test_net_param"):
            for each in value if field.is_repeated else [value]:
                yield from _found(each, f"{at}{field.name}.")
