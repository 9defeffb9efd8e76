"""The documents that come with the package."""

from __future__ import annotations

from protonet.layers import layer_types
from protonet.proto.language import is_lua
from protonet.resources import example_networks, layer_page, layer_pages


def test_every_layer_type_has_a_page() -> None:
    assert layer_pages() == layer_types()


def test_a_page_begins_with_its_type() -> None:
    for name in layer_pages():
        page = layer_page(name)
        assert page is not None
        assert page.startswith(f"# {name}\n")


def test_types_that_differ_by_case_alone_share_a_file() -> None:
    """One page ends where the other begins."""
    for one, other in (("CTCLoss", "CtcLoss"), ("LSTM", "Lstm")):
        pages = layer_page(one), layer_page(other)
        assert all(page is not None and page.count("## Example") == 1 for page in pages)
        assert [(page or "").count("\n# ") for page in pages] == [0, 0]


def test_there_is_no_page_of_nothing() -> None:
    assert layer_page("Nothing") is None
    assert layer_page("../README") is None


def test_example_networks_are_texts_by_name() -> None:
    networks = example_networks()
    assert {"alexnet", "gradients", "gradients (Torch7)", "resnet50"} <= set(networks)
    assert all(is_lua(text) == name.endswith(" (Torch7)") for name, text in networks.items())
