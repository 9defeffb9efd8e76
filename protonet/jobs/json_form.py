"""Frozen dataclasses as JSON objects: a key for each field, type-checked when read."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from protonet.errors import FormatError, UsageError

T = TypeVar("T")

_hints: Callable[..., dict[str, Any]] = cache(get_type_hints)
"""The types of a class's fields; to evaluate them takes longer than to read a file."""


def to_json(value: Any) -> Any:
    """A value of a field as JSON."""
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, tuple):
        return [to_json(each) for each in value]
    if isinstance(value, frozenset):
        return sorted(map(to_json, value))
    if is_dataclass(value):
        return {each.name: to_json(getattr(value, each.name)) for each in fields(value)}
    return value


def finite_json(value: Any) -> Any:
    """Dataclasses as objects, numbers of NumPy as numbers, and null for NaN and infinity, which
    JSON does not have.
    """
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: finite_json(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, dict):
        return {key: finite_json(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [finite_json(each) for each in value]
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def from_json(cls: type[T], values: dict[str, Any], where: str, **made: Any) -> T:
    """A dataclass from its JSON object; ``made`` are fields that are already read.

    Raises:
        FormatError: for a field that is absent or has another type; ``where`` names the file.
        UsageError: for unknown fields of a newer protonet, or values that the class refuses.
    """
    hints = _hints(cls)
    declared = {field.name: field for field in fields(cls)}  # type: ignore[arg-type]  # a dataclass
    odd = sorted(values.keys() - declared.keys())
    if odd:
        raise UsageError(
            f"{where}: has values unknown to this version of protonet: {', '.join(odd)}"
        )
    found = dict(made)
    for name, field in declared.items():
        if name in made:
            continue
        if name in values:
            found[name] = _read(hints[name], values[name], name, where)
        elif field.default is MISSING and field.default_factory is MISSING:
            raise FormatError(f"{where}: damaged: {name} is missing")
    return cls(**found)


def _read(hint: Any, value: Any, name: str, where: str) -> Any:
    """A field of this type from its JSON value."""
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        choices = get_args(hint)
        if value is None and NoneType in choices:
            return None
        return _read(next(each for each in choices if each is not NoneType), value, name, where)
    if origin is tuple and isinstance(value, list):
        kinds = get_args(hint)
        kinds = kinds[:1] * len(value) if kinds[-1] is ... else kinds
        if len(kinds) == len(value):
            pairs = zip(kinds, value, strict=True)
            return tuple(_read(kind, each, name, where) for kind, each in pairs)
    if origin is frozenset and isinstance(value, list):
        return frozenset(_read(get_args(hint)[0], each, name, where) for each in value)
    plain = origin or hint
    if isinstance(plain, type) and is_dataclass(plain) and isinstance(value, dict):
        return from_json(plain, value, f"{where}: {name}")
    if plain is Path and isinstance(value, str):
        return Path(value)
    if plain is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, plain) and (plain is bool or not isinstance(value, bool)):
        return value
    raise FormatError(
        f"{where}: damaged: expected {name} as {plain.__name__}, got {json.dumps(value)[:60]}"
    )
