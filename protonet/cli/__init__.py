"""The command line: one module a command, each of which parses, calls and prints."""

from protonet.cli.app import main

__all__ = ["main"]
