"""The page of kernels is what their code says, and leaves no source and no comparison out."""

from __future__ import annotations

from pathlib import Path

import pytest

from protonet.kernels import cuda
from tests.kernels import page

VERSIONS = [
    (processor, definition)
    for chapter in page.chapters()
    for definition in page.kernels(chapter)
    for processor in definition.versions()
]

MACHINERY = {
    *("native/module.cpp", "native/select.cpp", "native/__init__.py", "cuda/__init__.py"),
    *("native/features.cpp", "native/features.h"),
}
"""What makes modules of versions, and finds them and what they may use."""


def test_the_page_is_what_the_code_says() -> None:
    assert page.PAGE.read_text() == page.page(), "make it anew: python -m tests.kernels.page"


@pytest.mark.parametrize(
    ("processor", "definition"), VERSIONS, ids=lambda each: getattr(each, "__name__", each)
)
def test_a_test_holds_every_version_to_its_definition(processor: str, definition: type) -> None:
    assert page.holding(processor, definition), f"{definition.__name__}: no test for {processor}"


def test_every_source_belongs_to_a_kernel() -> None:
    known = page.all_files() | MACHINERY | {f"cuda/{name}" for name in cuda.COMMON}
    compiled = [name.removeprefix("native/") for name in known if name.startswith("native/")]
    known |= {f"native/{name}" for name in page.included(compiled)}
    ends = {".py", ".cpp", ".h", ".cu", ".cuh"}
    there = {
        str(path.relative_to(page.KERNELS))
        for folder in ("native", "cuda")
        for path in (page.KERNELS / folder).iterdir()
        if path.suffix in ends
    }
    assert there - known == set()
    assert known - there - {name for name in known if "/" not in name} == set()


def test_every_tuned_version_is_on_the_page() -> None:
    text = page.PAGE.read_text()
    missing = [each.__name__ for _, each in VERSIONS if f"**{each.__name__}**" not in text]
    assert missing == []


def test_a_version_without_a_test_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "test_other.py").write_text("nothing of it")
    monkeypatch.setattr(page, "TESTS", tmp_path)
    assert page.holding("native", VERSIONS[0][1]) == []
