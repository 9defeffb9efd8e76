"""Built-in versions of Python layers of public networks, used if their modules are not installed.

A ``type: "Python"`` layer whose module cannot be found is looked up here. The classes are written
like a user's, against ``python_api``, and are imported when they are needed.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, ClassVar

import numpy as np

from protonet.errors import LayerError, nearest
from protonet.formats.json_text import parse_json
from protonet.layers.python_api import Blob, Layer

_PARAM = ("python_param", "param_str")

_TAG = re.compile(r"!!python/(?:tuple|list)\b")
"""A YAML tag of tuples, as in public prototxt files."""

_CLUSTERING = "caffe.layers.detectnet.clustering"
_MEAN_AP = "caffe.layers.detectnet.mean_ap"
BUILTIN: dict[tuple[str, str], str] = {
    (_CLUSTERING, "ClusterDetections"): "detectnet_boxes",
    (_CLUSTERING, "ClusterGroundtruth"): "detectnet_boxes",
    (_MEAN_AP, "ScoreDetections"): "detectnet_boxes",
    (_MEAN_AP, "mAP"): "detectnet_boxes:MAP",
    ("roi_data_layer.layer", "RoIDataLayer"): "rcnn_data",
    ("rpn.anchor_target_layer", "AnchorTargetLayer"): "rcnn",
    ("rpn.proposal_layer", "ProposalLayer"): "rcnn",
    ("rpn.proposal_target_layer", "ProposalTargetLayer"): "rcnn",
}
"""(module, class) of a prototxt to the module here that has the class, or to module:class."""


class BuiltinLayer(Layer):
    """Base: settings from ``param_str`` (YAML of py-faster-rcnn, or JSON) and random numbers.

    - ``defaults``: the settings of the class, with default values.
    - ``required``: settings without a default.
    - ``random``: the generator of this pass, seeded by run, layer and iteration.
    - ``iteration``: the number of passes before this one.
    - ``seed``: the run's.
    - ``find``: resolves a file name to a path.
    """

    bottoms: ClassVar[tuple[int, int]] = (0, 0)
    tops: ClassVar[tuple[int, int]] = (1, 1)
    defaults: ClassVar[Mapping[str, Any]] = {}
    required: ClassVar[frozenset[str]] = frozenset()
    random: np.random.Generator
    iteration = 0
    seed = 0
    find: Callable[[str], Any]

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        """Check the numbers of bottoms and tops, and read the settings."""
        for kind, found, (least, most) in (
            ("bottom", bottom, self.bottoms),
            ("top", top, self.tops),
        ):
            if not least <= len(found) <= most:
                bounds = f"{least}" if least == most else f"{least} to {most}"
                raise LayerError(
                    f"{self.name} expects {bounds} {kind} blob(s), got {len(found)}",
                    (kind, most) if len(found) > most else (),
                )
        self.settings = {**self.defaults, **self._read()}

    @property
    def name(self) -> str:
        """The class name, as in prototxt files."""
        return self.__class__.__name__

    def backward(
        self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]
    ) -> None:
        """Boxes have no gradient."""
        for blob, wanted in zip(bottom, propagate_down, strict=True):
            if wanted:
                blob.diff[...] = 0

    def in_layer(self, message: str) -> str:
        """A message of a running net, prefixed with the layer."""
        return f'layer "{self.layer_param.name}" ({self.name}): {message}'

    def write(self, blob: Blob, values: np.ndarray) -> None:
        """Write these values to a top, and reshape it to them."""
        if blob.shape != values.shape:
            blob.reshape(*values.shape)
        blob.data[...] = values

    def number(self, key: str, least: float, most: float = np.inf) -> Any:
        """A setting that is a number in this range."""
        value = self.settings[key]
        if isinstance(value, bool) or not isinstance(value, int | float) or not (
            least <= value <= most
        ):  # fmt: skip
            bounds = f"{least:g} or more" if most == np.inf else f"{least:g} to {most:g}"
            raise self.invalid(key, f"a number of {bounds}")
        return value

    def numbers(self, key: str, count: int | None = None) -> list[float]:
        """A setting that is a list of numbers, of this length if given."""
        value = self.settings[key]
        if (
            not isinstance(value, list | tuple)
            or not value
            or len(value) != (len(value) if count is None else count)
            or not all(isinstance(each, int | float) and np.isfinite(each) for each in value)
        ):
            raise self.invalid(key, "a list of numbers" if count is None else f"{count} numbers")
        return [float(each) for each in value]

    def invalid(self, key: str, expected: str) -> LayerError:
        """The error for an invalid setting."""
        return LayerError(
            f"{self.name} expects {expected} as '{key}' of param_str, got {self.settings[key]!r}",
            _PARAM,
        )

    def _read(self) -> dict[str, Any]:
        found = parse_settings(self.param_str)
        for key in found:
            if key not in self.defaults and key not in self.required:
                known = [*self.defaults, *self.required]
                raise LayerError(
                    f"{self.name} has no setting '{key}'{nearest(key, known)}",
                    _PARAM,
                    f"it has {', '.join(sorted(known))}",
                )
        for key in sorted(self.required - {*found}):
            raise LayerError(
                f"{self.name} needs '{key}' in param_str", _PARAM, f"such as \"'{key}': 21\""
            )
        return found


def builtin_class(module: str, name: str) -> type[BuiltinLayer] | None:
    """The built-in class for this class of a user's module; None without one."""
    entry = BUILTIN.get((module, name))
    if entry is None:
        return None
    chapter, _, own = entry.partition(":")
    found: type[BuiltinLayer] = getattr(import_module(f"protonet.layers.{chapter}"), own or name)
    return found


def parse_settings(text: str) -> dict[str, Any]:
    """Parse ``'feat_stride': 16``, separated by lines or commas, or a JSON object.

    Raises:
        LayerError: for anything else.
    """
    inner = _TAG.sub("", text).strip()
    try:
        if inner.startswith("{"):
            try:
                found = parse_json(inner)
            except ValueError:
                found = ast.literal_eval(inner)
        else:
            lines = [line.strip().rstrip(",") for line in inner.splitlines()]
            found = ast.literal_eval("{" + ", ".join(line for line in lines if line) + "}")
    except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
        found = None
    if not isinstance(found, dict) or not all(isinstance(key, str) for key in found):
        raise LayerError(
            f"expected settings in param_str, got '{text[:80]}'",
            _PARAM,
            "such as \"'feat_stride': 16\" or '{\"feat_stride\": 16}'",
        )
    return found
