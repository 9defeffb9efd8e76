"""The process that makes the index of a database:
``python -m protonet.web.datasets.indexer FOLDER FORM IMAGES [LABELS]``.

A million records keep a process busy for seconds; so it is none of the server's threads. It writes
its progress beside FOLDER.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from protonet.data.record_index import build_index
from protonet.errors import ProtonetError
from protonet.jobs.tasks.progress_log import file_progress

_NICE = 10


def main(arguments: list[str]) -> int:
    """Make the index; return the exit code."""
    folder, form, images, *labels = arguments
    os.nice(_NICE)
    try:
        build_index(
            Path(folder), Path(images), Path(labels[0]) if labels else None, form,
            file_progress(progress_file(Path(folder)), "images indexed"),
        )  # fmt: skip
    except ProtonetError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


def progress_file(folder: Path) -> Path:
    """The file with the progress of an index."""
    return folder.with_name(f"{folder.name}.progress")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
