"""What ``protonet classify`` is asked, in the forms of its arguments and of Caffe's two tools."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from protonet.cli.terminal import note
from protonet.errors import UsageError

if TYPE_CHECKING:
    from protonet.jobs.inference.classification import Preprocessing
    from protonet.jobs.inference.predictor import ImagePredictor

_WEIGHTS = (".caffemodel", ".h5", ".npz", ".safetensors")


@dataclass(frozen=True)
class Asked:
    """The arguments, independent of their form."""

    net: Path
    images: tuple[Path, ...]
    how: Preprocessing
    weights: Path | None = None
    labels: Path | None = None
    oversample: bool = False
    out: Path | None = None


def asked_for(given: dict[str, Any]) -> Asked:
    """Parse the arguments in any of the forms."""
    from protonet.jobs.inference.classification import Preprocessing
    from protonet.jobs.run.archive import is_packed

    net, images, weights = given["net"], given["images"], given["weights"]
    names = ("mean", "mean_pixel", "images_dim", "input_scale", "raw_scale", "channel_swap")
    how = Preprocessing(**{name: given[name] for name in names if given[name] not in (None, "")})
    asked = Asked(net, images, how, weights, given["labels"], bool(given["oversample"]),
                   given["out"])  # fmt: skip
    if given["model_def"] is not None:
        return _as_classify_py(asked, given)
    if weights is not None or net.is_dir() or is_packed(net) or _is_torch7(net):
        return asked
    if images[0].suffix not in _WEIGHTS:
        raise UsageError(
            f"{net}: not a run directory; a deploy.prototxt needs --weights"
            if net.exists()
            else f"{net}: no such run directory or deploy.prototxt"
        )
    if len(images) < 4:
        raise UsageError(
            "expected deploy.prototxt, weights, mean, labels and images, as for "
            f"classification.bin; got {1 + len(images)} arguments. The options --weights, --mean "
            "and --labels work too"
        )
    if asked.how.mean or asked.labels is not None:
        raise UsageError("the mean and the labels are given twice: as arguments and as options")
    weights, mean, labels, *rest = images
    return replace(
        asked,
        images=tuple(rest),
        weights=weights,
        labels=labels,
        how=replace(how, mean=str(mean), mean_pixel=True),
    )


def _is_torch7(path: Path) -> bool:
    from protonet.formats.kind import is_torch7

    return path.is_file() and is_torch7(path)


def _as_classify_py(asked: Asked, given: dict[str, Any]) -> Asked:
    """The form INPUT OUTPUT --model_def FILE, with the defaults of Caffe's classify.py."""
    if len(asked.images) != 1 or asked.weights is None or asked.out is not None:
        raise UsageError(
            "with --model_def, expected an image or folder, a .npy, and --pretrained_model"
        )
    if not asked.how.mean:
        note("no --mean_file: no mean is subtracted (classify.py uses ImageNet's mean)")
    how = replace(asked.how, images_dim=asked.how.images_dim or (256, 256))
    return replace(
        asked,
        net=given["model_def"],
        images=(asked.net,),
        out=asked.images[0],
        how=how,
        oversample=given["oversample"] is not False,
    )


@contextmanager
def opened(asked: Asked, given: dict[str, Any], device: Any) -> Iterator[ImagePredictor]:
    """The predictor; tells what the user should know of it."""
    from protonet.jobs.inference.classification import open_classifier
    from protonet.jobs.inference.torch_model import open_torch_model

    shape = given["input_shape"]
    torch = asked.weights is None and _is_torch7(asked.net)
    if shape is not None and not torch and asked.weights is None:
        raise UsageError(f"{asked.net}: has its own shape; --input-shape is for other models")
    if (torch or asked.weights is not None) and given["snapshot"] is not None:
        raise UsageError("--snapshot selects weights of a run, but --weights are given")
    if torch:
        net_options: AbstractContextManager[ImagePredictor] = open_torch_model(
            asked.net, asked.how, shape, device, precision=given["precision"]
        )
    elif asked.weights is not None:
        net_options = open_classifier(
            asked.net,
            asked.weights,
            asked.how,
            device,
            shape=shape,
            precision=given["precision"],
        )
    else:
        net_options = _trained(asked, given, device)
    with net_options as predictor:
        if predictor.note:
            note(predictor.note)
        if asked.oversample:
            predictor.oversample()
        yield predictor


def _trained(
    asked: Asked, given: dict[str, Any], device: Any
) -> AbstractContextManager[ImagePredictor]:
    """The predictor of a run, or of a model of DIGITS."""
    from protonet.jobs.inference.classification import Preprocessing
    from protonet.jobs.inference.trained_run import open_trained

    if asked.how != Preprocessing():
        kind = "a run" if (asked.net / "run.json").exists() else "a model of DIGITS"
        raise UsageError(
            f"{asked.net}: {kind} has its own preprocessing; these options are only for "
            "a deploy.prototxt"
        )
    trusted = True if given["allow_python_layers"] else None
    which, precision = given["snapshot"] or "last", given["precision"]
    return open_trained(asked.net, which, device, python_layers=trusted, precision=precision)
