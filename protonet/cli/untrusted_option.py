"""``--untrusted``: networks of strangers run no code and write no files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

C = TypeVar("C", bound=Callable[..., Any])

UNTRUSTED_HELP = (
    "The network is not your own: refuse layers that run code which it names (Python), or write "
    "files (HDF5Output)."
)


def untrusted_option(command: C) -> C:
    """Give a command the option ``--untrusted``."""
    return click.option("--untrusted", is_flag=True, help=UNTRUSTED_HELP)(command)
