"""The classes of a detection data set: their label map, and the numbers of boxes' names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from protonet.data.annotate import make_label_map, read_label_map
from protonet.data.detection_set import DetectionSet, Parts
from protonet.errors import UsageError, nearest
from protonet.proto.caffe_pb2 import LabelMap

_NO_OBJECT = "dontcare"


@dataclass(frozen=True)
class Classes:
    """``labels`` are numbers by the names of boxes; ``only`` says that other boxes are left out."""

    label_map: LabelMap
    labels: Mapping[str, int]
    only: bool = False


def choose_classes(
    found: DetectionSet,
    parts: Parts,
    *,
    names: Sequence[str] = (),
    label_map: Path | None = None,
) -> Classes:
    """The classes of a label map; or those of ``names``, in this order; or all.

    A class of COCO may be named by its id or by its display name. Lists of DIGITS begin with
    dontcare, which is 0 there too.

    Raises:
        UsageError: for a name that no box has.
        DataError: for a label map that cannot be used.
    """
    shown = _display_names(found, parts)
    if label_map is not None:
        given = read_label_map(label_map)
        numbers = {item.name: item.label for item in given.item}
        labels = {
            name: numbers[key]
            for name, display_name in shown.items()
            for key in [name if name in numbers else display_name]
            if key in numbers
        }
        return Classes(given, {**numbers, **labels})
    if names and names[0].lower() == _NO_OBJECT:
        names = names[1:]
    chosen = [_named(shown, name) for name in names] if names else list(shown)
    if len(set(chosen)) < len(chosen):
        raise UsageError(f"--classes {','.join(names)}: names a class twice")
    if not chosen:
        folder = next(iter(parts.values()))[0].source.parent
        raise UsageError(f"{folder}: no annotation there has a box")
    made = make_label_map((name, shown[name]) for name in chosen)
    return Classes(made, {name: label for label, name in enumerate(chosen, 1)}, bool(names))


def _display_names(found: DetectionSet, parts: Parts) -> Mapping[str, str]:
    if found.classes is not None:
        return found.classes
    names = {box.name for files in parts.values() for file in files for box in file.boxes}
    return {name: name for name in sorted(names)}


def _named(shown: Mapping[str, str], name: str) -> str:
    """The name of boxes that is meant; upper and lower case count only where names differ so."""
    exact = [each for each, display_name in shown.items() if name in (each, display_name)]
    folded = [
        each
        for each, display_name in shown.items()
        if name.lower() in (each.lower(), display_name.lower())
    ]
    if not folded:
        close = nearest(name, list(shown.values()))
        raise UsageError(f"--classes: no box is of class '{name}'{close}")
    return (exact or folded)[0]
