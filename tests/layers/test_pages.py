"""The reference: every type has a docstring and a page in the fixed form, and examples run."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import numpy as np
import pytest
from google.protobuf.descriptor import Descriptor

from protonet.device import Device
from protonet.graph.net import Net
from protonet.graph.planning import plan_net
from protonet.layers import layer_class, layer_types
from protonet.proto.caffe_pb2 import TRAIN, LayerParameter
from protonet.proto.text import Source, read_net
from protonet.resources import layer_page, layer_pages

PAGES = Path(__file__).parents[2] / "layers"
WITH_BOTTOMS = [name for name in layer_types() if layer_class(name).bottoms != (0, 0)]


def page_of(name: str) -> str:
    page = layer_page(name)
    assert page is not None
    return page


@pytest.mark.parametrize("name", layer_types())
def test_docstrings_have_the_fixed_headings(name: str) -> None:
    found = re.findall(r"^([A-Z]\w+):$", inspect.getdoc(layer_class(name)) or "", re.MULTILINE)
    assert found == ["Bottom", "Top", "Params", "Spec", "Raises", "Differs"]


@pytest.mark.parametrize("name", layer_types())
def test_pages_have_the_fixed_sections(name: str) -> None:
    page = page_of(name)
    assert page.startswith(f"# {name}\n\n")
    sections = re.findall(r"^## (.*)$", page, re.MULTILINE)
    if name not in WITH_BOTTOMS and "Formula" not in sections:
        sections.insert(0, "Formula")
    assert sections == [
        "Formula",
        "Bottoms and tops",
        "Parameters",
        "Differs from Caffe",
        "Example",
    ]


def test_no_page_is_of_an_unknown_type() -> None:
    assert {path.stem for path in PAGES.glob("*.md")} <= {*layer_types()}
    assert {*layer_pages()} <= {*layer_types()}


@pytest.mark.parametrize("name", WITH_BOTTOMS)
def test_parameter_tables_hold_the_fields_of_the_schema(name: str) -> None:
    """Each row's field exists, and its default is the schema's where the schema has one."""
    rows = re.findall(r"^\| `([\w.]+)` \| [^|]+ \| ([^|]*) \|", page_of(name), re.MULTILINE)
    for path, default in rows:
        message: Descriptor | None = LayerParameter.DESCRIPTOR
        for part in path.split("."):
            assert message is not None
            assert part in message.fields_by_name, f"{path} is no field"
            field = message.fields_by_name[part]
            message = field.message_type
        if field.has_default_value and default not in ("required", "none"):
            assert default.strip("`") == shown(field), path


def shown(field: object) -> str:
    """A field's default as the pages print it."""
    value = field.default_value
    if isinstance(value, str):
        return value
    if field.enum_type is not None:
        return str(field.enum_type.values_by_number[value].name)
    return str(value).lower() if isinstance(value, bool) else f"{value:g}"


@pytest.mark.parametrize("name", WITH_BOTTOMS)
def test_examples_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once forward and, where there is a loss, backward."""
    page = page_of(name)
    for module, code in re.findall(r"`(\w+\.py)`:\n\n```python\n(.*?)```", page, re.DOTALL):
        (tmp_path / module).write_text(code)
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"```prototxt\n(.*?)```", page, re.DOTALL)
    definition = read_net(Source(f"{name}.md", example))
    assert name in {layer.type for layer in definition.net.layer}
    net = Net(plan_net(definition, phase=TRAIN), Device())
    generator = np.random.default_rng(0)
    for value in net.plan.inputs:
        labels = value.name == "label"
        net.blobs[value.name].data[...] = (
            generator.integers(1, 4, value.shape)
            if labels
            else generator.standard_normal(value.shape)
        )
    net.forward()
    net.backward()
    for output, array, _ in net.outputs():
        assert np.isfinite(array).all(), output
    if layer_class(name).is_loss:
        assert net.loss() > 0
        assert net.store.diff.any()
    net.close()
