"""``python -m protonet``."""

from protonet.cli import main

if __name__ == "__main__":
    code = main()
    # After an interrupt inside any exec of a text (dataclasses run one when a module is imported),
    # CPython ends a -m process by SIGINT and loses its exit code; the next exec forgets that.
    exec("")
    raise SystemExit(code)
