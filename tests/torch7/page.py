"""The list of modules in ``docs/torch7.md``, read from the classes.

``python -m tests.torch7.page`` writes it; a test compares it.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path

from protonet.torch7.modules.base import MODULES, module_class

PAGE = Path(__file__).parents[2] / "docs" / "torch7.md"
BEGIN, END = "<!-- modules -->\n", "<!-- end of modules -->\n"


def listed() -> str:
    """A row for each file of modules: what they are, and their names without ``nn.``."""
    module_class("nn.Linear")  # registers all
    families: dict[str, list[str]] = defaultdict(list)
    for name, cls in MODULES.items():
        families[cls.__module__].append(name.removeprefix("nn."))
    rows = ["| | modules |\n", "|---|---|\n"]
    for module, names in sorted(families.items()):
        what = (sys.modules[module].__doc__ or "").split("\n\n")[0].replace("\n", " ").rstrip(".")
        rows.append(f"| {what} | {', '.join(f'`{name}`' for name in sorted(names))} |\n")
    return "".join(rows)


def page() -> str:
    """The page with the present list."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{listed()}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(page())
