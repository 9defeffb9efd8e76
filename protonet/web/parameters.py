"""Refuses query parameters that a route does not have: a typing mistake would list everything."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi import HTTPException, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel

from protonet.errors import nearest


def refuse_unknown(request: Request) -> None:
    """A dependency of all routes of the API.

    Raises:
        HTTPException: 422 for a parameter that the route does not have.
    """
    route = request.scope.get("route")
    if not request.query_params or not isinstance(route, APIRoute) or not route.include_in_schema:
        return
    known = list(_names(route.dependant))
    for name in request.query_params:
        if name not in known:
            told = f"it has {', '.join(known)}" if known else "it has none"
            raise HTTPException(
                422, f"{name[:80]}: no query parameter of this route, {told}{nearest(name, known)}"
            )


def _names(dependant: Dependant) -> Iterator[str]:
    """The query parameters of a route and of what it depends on; those of a model by its fields."""
    for field in dependant.query_params:
        kind = field.field_info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from kind.model_fields
        else:
            yield field.alias
    for each in dependant.dependencies:
        yield from _names(each)
