"""The API description as OpenAPI 3.0, for the bundled explorer.

The framework generates 3.1, whose schemas are JSON Schema 2020-12: a null type, numeric exclusive
bounds, tuples, and files by media type. 3.0 expresses each of them differently.
"""

from __future__ import annotations

from typing import Any

VERSION = "3.0.2"


def as_3_0(text: Any) -> Any:
    """A description converted to OpenAPI 3.0; the argument is not changed."""
    if isinstance(text, list):
        return [as_3_0(each) for each in text]
    if not isinstance(text, dict):
        return text
    made = {key: as_3_0(value) for key, value in text.items()}
    if "openapi" in made:
        made["openapi"] = VERSION
    _nullable(made)
    _bounds(made)
    if isinstance(made.get("prefixItems"), list):
        kinds = made.pop("prefixItems")
        made["items"] = kinds[0] if all(kind == kinds[0] for kind in kinds) else {"anyOf": kinds}
    if isinstance(made.get("contentMediaType"), str):
        del made["contentMediaType"]
        made["format"] = "binary"
    return made


def _nullable(schema: dict[str, Any]) -> None:
    """``anyOf`` with a null type becomes ``nullable``."""
    kinds = schema.get("anyOf")
    if not isinstance(kinds, list) or {"type": "null"} not in kinds:
        return
    left = [kind for kind in kinds if kind != {"type": "null"}]
    del schema["anyOf"]
    schema["nullable"] = True
    if len(left) == 1 and "$ref" not in left[0]:
        for key, value in left[0].items():
            schema.setdefault(key, value)
    else:
        schema["anyOf"] = left


def _bounds(schema: dict[str, Any]) -> None:
    """An exclusive bound becomes a bound and a flag."""
    for exclusive, plain in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        bound = schema.get(exclusive)
        if isinstance(bound, int | float) and not isinstance(bound, bool):
            schema[plain], schema[exclusive] = bound, True
