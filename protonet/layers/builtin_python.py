"""What Python modules of public networks compute, for those who have not got the modules.

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
"""What PyYAML writes before a tuple, and public texts with it."""

BUILTIN: dict[tuple[str, str], str] = {
    ("roi_data_layer.layer", "RoIDataLayer"): "rcnn_data",
    ("rpn.anchor_target_layer", "AnchorTargetLayer"): "rcnn",
    ("rpn.proposal_layer", "ProposalLayer"): "rcnn",
    ("rpn.proposal_target_layer", "ProposalTargetLayer"): "rcnn",
}
"""Module and class that texts name, and the chapter that the class is in."""


class BuiltinLayer(Layer):
    """Base: settings out of ``param_str``, as of py-faster-rcnn or as JSON, and chance.

    - ``defaults``: the settings that the class has, with what holds where none is given.
    - ``required``: those that must be given.
    - ``random``: numbers of this pass, a function of the run's seed, the layer and the iteration.
    - ``iteration``: how many passes came before.
    - ``seed``: the run's.
    - ``find``: the path that the name of a file means.
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
        """Count bottoms and tops, and read the settings."""
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
        """The class's name, as texts have it."""
        return self.__class__.__name__

    def backward(
        self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]
    ) -> None:
        """Boxes have no gradient."""
        for blob, wanted in zip(bottom, propagate_down, strict=True):
            if wanted:
                blob.diff[...] = 0

    def in_layer(self, message: str) -> str:
        """A message of a running net, with the layer that it is of."""
        return f'layer "{self.layer_param.name}" ({self.name}): {message}'

    def write(self, blob: Blob, values: np.ndarray) -> None:
        """Give a top these values, and their shape."""
        if blob.shape != values.shape:
            blob.reshape(*values.shape)
        blob.data[...] = values

    def number(self, key: str, least: float, most: float = np.inf) -> Any:
        """A setting that must be a number of this range."""
        value = self.settings[key]
        if isinstance(value, bool) or not isinstance(value, int | float) or not (
            least <= value <= most
        ):  # fmt: skip
            bounds = f"{least:g} or more" if most == np.inf else f"{least:g} to {most:g}"
            raise self.invalid(key, f"a number of {bounds}")
        return value

    def numbers(self, key: str, count: int | None = None) -> list[float]:
        """A setting that must be a list of numbers, of this length if one is given."""
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
        """For a setting that cannot be."""
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
    """The class of this name that stands for the one of a user's module; None for none."""
    chapter = BUILTIN.get((module, name))
    if chapter is None:
        return None
    found: type[BuiltinLayer] = getattr(import_module(f"protonet.layers.{chapter}"), name)
    return found


def parse_settings(text: str) -> dict[str, Any]:
    """``'feat_stride': 16``, a line or a comma between settings, or an object of JSON.

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
