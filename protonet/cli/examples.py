"""Commands whose help ends with examples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click


class CommandWithExamples(click.Command):
    """A command with ``examples``: complete command lines."""

    def __init__(self, *args: Any, examples: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.examples = tuple(examples)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples without wrapping, so that they can be copied."""
        super().format_epilog(ctx, formatter)
        with formatter.section("Examples"):
            for line in self.examples:
                formatter.write(f"{'':>{formatter.current_indent}}{line}\n")


class GroupWithExamples(CommandWithExamples, click.Group):
    """A group of commands with ``examples``."""
