"""Flags in the syntax of gflags, as in Caffe's tools: ``--shuffle=true``, ``--nogray``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import click

from protonet.cli.examples import CommandWithExamples

_WORDS = {
    **dict.fromkeys(("true", "t", "1", "yes", "y"), True),
    **dict.fromkeys(("false", "f", "0", "no", "n"), False),
}
_LOG_SWITCHES = frozenset({"alsologtostderr", "colorlogtostderr", "log_prefix", "logtostderr"})
_LOG_VALUES = frozenset({"log_dir", "minloglevel", "stderrthreshold", "v", "vmodule"})
"""Flags of glog, accepted by every tool of Caffe, and ignored here."""
_FLAG = re.compile(r"--?(?P<name>[A-Za-z][\w-]*)(?:=(?P<value>.*))?", re.DOTALL)


class GflagsCommand(CommandWithExamples):
    """A command whose switches may be given in the syntax of gflags: ``-shuffle``,
    ``--shuffle=true``, ``--noshuffle``. Flags of glog and their values are ignored.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Convert the arguments to click's syntax first."""
        return super().parse_args(ctx, list(self._plain(args)))

    def _plain(self, args: Iterable[str]) -> Iterator[str]:
        switches = {
            name.lstrip("-"): option
            for option in self.params
            if isinstance(option, click.Option) and option.is_flag
            for name in option.opts
        }
        rest = iter(args)
        for word in rest:
            if word == "--":
                yield word
                break
            match = _FLAG.fullmatch(word)
            name, value = (match["name"], match["value"]) if match else ("", None)
            if name in _LOG_VALUES:
                if value is None:
                    next(rest, None)
                continue
            if name.removeprefix("no") in _LOG_SWITCHES:
                continue
            if name in switches and value is not None:
                yield from self._switch(switches[name], word, value)
            elif name.startswith("no") and name[2:] in switches and value is None:
                yield from switches[name[2:]].secondary_opts[:1]
            else:
                yield word
        yield from rest

    def _switch(self, option: click.Option, word: str, value: str) -> Iterator[str]:
        wanted = _WORDS.get(value.lower())
        if wanted is None:
            raise click.UsageError(f"{word}: expected true or false after the '='")
        yield from (option.opts if wanted else option.secondary_opts)[:1]
