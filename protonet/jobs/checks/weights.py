"""What the net of a plan takes of files of weights, before any net is built."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from protonet.blob import Shape
from protonet.errors import OtherNetError
from protonet.formats.caffemodel import Weights
from protonet.formats.kind import is_torch7
from protonet.formats.weight_shapes import weight_shapes
from protonet.graph.plan import Plan
from protonet.graph.weights_report import DIFFERS, LOADED, WeightsReport, report_of_files
from protonet.jobs.definitions.inputs import image_layers

MISMATCH = (
    "--allow-mismatch (on the page: Skip layers of other shapes) keeps the initial weights of "
    "layers that do not match"
)


def files_report(plan: Plan, files: Sequence[str | Path]) -> WeightsReport:
    """The report after the files are loaded in order.

    Raises:
        UsageError, FormatError, NetworkError: for files that cannot be read.
    """
    shape = next((each.image_shape for each in image_layers(plan)), None)
    return report_of_files(plan, [_weights(Path(file), shape) for file in files])


def _weights(path: Path, shape: Shape | None) -> Weights:
    """The weights of a file; of a large one only their shapes."""
    if not is_torch7(path):
        return weight_shapes(path)
    from protonet.torch7.conversion import layer_weights

    return layer_weights(path, shape)


def mismatch(report: WeightsReport, name: str, *, allowed: bool) -> str:
    """Why a training would refuse weights; "" if it would not."""
    try:
        refuse_mismatch(report, name, allowed=allowed)
    except OtherNetError as error:
        return str(error)
    return ""


def refuse_mismatch(report: WeightsReport, name: str, *, allowed: bool) -> None:
    """Refuse weights that a training would refuse: of other shapes, or for none of its layers.

    Raises:
        OtherNetError: listing the layers.
    """
    wrong = [layer for layer in report.layers if layer.state == DIFFERS]
    if wrong and not allowed:
        told = "".join(f"\n  layer '{each.name}': {each.told}" for each in wrong)
        raise OtherNetError(f"{name}: the weights are of another net:{told}\n  {MISMATCH}")
    if report.layers and not wrong and not report.names(LOADED):
        raise none_taken(name, [each.name for each in report.unused])


def none_taken(name: str, unused: Sequence[str]) -> OtherNetError:
    """The error for weights of which no layer takes any."""
    named = ", ".join(unused) or "none"
    return OtherNetError(
        f"{name}: no layer of the network takes its weights; they are for layers named {named}"
    )
