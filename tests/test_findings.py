"""Scripts that show what other packages do: whole, with their versions, and named in the docs.

They need a network and are run by hand.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = sorted((ROOT / "findings").glob("*.sh"))
PAGE = (ROOT / "docs" / "other-software.md").read_text()


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_stands_alone(script: Path) -> None:
    text = script.read_text()
    assert subprocess.run(["bash", "-n", str(script)], capture_output=True).returncode == 0
    assert "set -euo pipefail" in text
    assert "mktemp -d" in text
    assert "protonet" not in text
    installed = re.findall(r"pip install --quiet (.*)", text)
    assert installed or text.splitlines()[1].startswith("# CPython ")
    for arguments in installed:
        packages = [word for word in arguments.replace('"', "").split() if word[0].isalpha()]
        assert packages
        assert all("==" in package for package in packages), packages


def test_every_script_is_in_the_page() -> None:
    assert {path.name for path in SCRIPTS} == set(re.findall(r"findings/(\w+\.sh)\)", PAGE))
