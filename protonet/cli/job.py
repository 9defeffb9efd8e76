"""A command of the page, in a process of its own: ``python -m protonet.cli.job``."""

from __future__ import annotations

import json
import os
import resource
import sys
from pathlib import Path

from protonet.cli.app import main as protonet
from protonet.web.process import EXIT, LOCK


def main(arguments: list[str]) -> int:
    """Run the command that ``web.process.launch`` asks for.

    Args:
        arguments: the folder of the job, the most bytes of addresses that it may take (0 for
            any), and the arguments of ``protonet``.
    """
    from protonet.formats.atomic import write_atomic

    folder, memory = Path(arguments[0]), int(arguments[1])
    (folder / LOCK).write_text(str(os.getpid()))
    if memory:
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    code = protonet(arguments[2:])
    write_atomic(folder / EXIT, json.dumps({"code": code}).encode())
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
