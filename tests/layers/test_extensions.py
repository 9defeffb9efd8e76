"""Modules of users, imported by name or by path, and what they raise."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from protonet.errors import LayerError, UsageError
from protonet.layers import layer_class, registry
from protonet.layers.extensions import import_module
from protonet.layers.registry import LAYERS

LAYER = """
from protonet.layers import Layer, register


@register("{name}")
class Own(Layer):
    "y = x."

    def infer(self, shapes):
        return [shapes[0]]
"""


def test_by_name_by_path_and_beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("by_name", "by_path", "beside"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / f"own_{name}.py").write_text(f"where = '{name}'")
    monkeypatch.chdir(tmp_path / "by_name")
    before = list(sys.path)
    assert import_module("own_by_name").where == "by_name"
    assert import_module(str(tmp_path / "by_path" / "own_by_path.py")).where == "by_path"
    assert import_module("own_beside", tmp_path / "beside").where == "beside"
    assert sys.path == before


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import caffe", "ModuleNotFoundError: No module named 'caffe'; write `import protonet"),
        ("1 / 0", r"ZeroDivisionError: division by zero \(.*own_broken.*\.py:1\)"),
        ("x = (", r"SyntaxError: '\(' was never closed"),
    ],
)
def test_what_a_module_raises(
    text: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"own_broken_{abs(hash(text))}"
    (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as caught:
        import_module(name)
    assert re.search(f"module '{name}' cannot be imported: {message}", str(caught.value))


class EntryPoint:
    """Stands for what an installed package offers."""

    name, value = "own", "own_package:layers"

    def __init__(self, load: object) -> None:
        self.load = load


def offer(monkeypatch: pytest.MonkeyPatch, load: object) -> None:
    def entry_points(*, group: str) -> list[EntryPoint]:
        assert group == "protonet.layers"
        return [EntryPoint(load)]

    monkeypatch.setattr("importlib.metadata.entry_points", entry_points)
    registry.load_entry_points.cache_clear()


def test_packages_offer_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, lambda: exec(LAYER.format(name="OfAPackage"), {}))
    try:
        assert layer_class("OfAPackage").type == "OfAPackage"
    finally:
        LAYERS.pop("OfAPackage")
        registry.load_entry_points.cache_clear()


def test_a_package_that_cannot_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise ImportError("no such thing")

    offer(monkeypatch, fail)
    with pytest.raises(UsageError, match=r"'own' \(own_package:layers\).*no such thing"):
        layer_class("Nothing")
    registry.load_entry_points.cache_clear()


def test_an_unknown_type_says_how_to_add_one() -> None:
    registry.load_entry_points.cache_clear()
    with pytest.raises(LayerError) as caught:
        layer_class("Powr")
    assert str(caught.value) == "unknown layer type 'Powr'; did you mean 'Power'?"
    assert "--import MODULE" in caught.value.hint
