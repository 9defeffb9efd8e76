"""``--untrusted``: refuse networks that run code or write files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

C = TypeVar("C", bound=Callable[..., Any])

UNTRUSTED_HELP = (
    "Do not trust the network: refuse layers that run its code (Python) or write files "
    "(HDF5Output)."
)


def untrusted_option(command: C) -> C:
    """``--untrusted``."""
    return click.option("--untrusted", is_flag=True, help=UNTRUSTED_HELP)(command)
