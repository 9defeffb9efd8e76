"""The documents that come with the package."""

from __future__ import annotations

from protonet.layers import layer_types
from protonet.resources import example_networks, layer_page, layer_pages


def test_every_layer_type_has_a_page() -> None:
    assert layer_pages() == layer_types()


def test_a_page_begins_with_its_type() -> None:
    for name in layer_pages():
        page = layer_page(name)
        assert page is not None
        assert page.startswith(f"# {name}\n")


def test_there_is_no_page_of_nothing() -> None:
    assert layer_page("Nothing") is None
    assert layer_page("../README") is None


def test_example_networks_are_texts_by_name() -> None:
    networks = example_networks()
    assert {"alexnet", "gradients", "lenet", "resnet50"} <= set(networks)
    assert all("layer" in text for text in networks.values())
