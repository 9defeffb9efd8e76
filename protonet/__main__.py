"""``python -m protonet``."""

from protonet.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
