"""Weights into nets, and what is told of those that fit no layer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from protonet.errors import FormatError, UsageError
from protonet.formats.caffemodel import read_model, write_model
from protonet.jobs.inference.weights import listed, load_weights, with_runs
from tests.graph.nets import net_of

NET = """
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }
layer { name: "a" type: "InnerProduct" bottom: "x" top: "a"
  inner_product_param { num_output: 4 weight_filler { type: "xavier" } } }
layer { name: "b" type: "InnerProduct" bottom: "a" top: "b"
  inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }
"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Weights of another seed than 0."""
    path = tmp_path / "net.caffemodel"
    write_model(path, net_of(NET, seed=1).message())
    return path


def renamed(model: Path, name: str) -> Path:
    """The file with layer b under another name."""
    message = read_model(model)
    message.layer[2].name = name
    write_model(model.with_name(f"{name}.caffemodel"), message)
    return model.with_name(f"{name}.caffemodel")


def test_nothing_is_told_where_all_fits(model: Path) -> None:
    net, told = net_of(NET), list[str]()
    load_weights(net, [model], told.append)
    assert told == []
    np.testing.assert_array_equal(net.store.data, net_of(NET, seed=1).store.data)


def test_layers_are_told_that_have_no_weights_and_weights_that_have_no_layer(model: Path) -> None:
    net, told = net_of(NET), list[str]()
    kept = net.params["b"][0].data.copy()
    file = renamed(model, "b2")
    load_weights(net, [file], told.append)
    assert told == [
        "Ignoring source layer b2",
        f"{file}: no weights for b; these keep the values of their fillers",
    ]
    np.testing.assert_array_equal(net.params["b"][0].data, kept)


def test_several_files_fill_up_each_other(model: Path) -> None:
    net, told = net_of(NET), list[str]()
    load_weights(net, [renamed(model, "b2"), model], told.append)
    assert told == ["Ignoring source layer b2"]
    np.testing.assert_array_equal(net.store.data, net_of(NET, seed=1).store.data)


def test_a_layer_that_a_file_lists_without_weights(model: Path) -> None:
    message = read_model(model)
    message.layer[2].ClearField("blobs")
    write_model(model, message)
    with pytest.raises(FormatError, match=r"of another net:\n.*layer 'b'"):
        load_weights(net_of(NET), [model], print)


def test_a_comma_list() -> None:
    assert listed(" a.caffemodel, ,b.h5,") == ["a.caffemodel", "b.h5"]


def test_files_are_no_runs(model: Path, tmp_path: Path) -> None:
    """A file may have an @ in its name."""
    odd = tmp_path / "net@2.caffemodel"
    odd.write_bytes(model.read_bytes())
    assert with_runs(f"{model}, {odd},gone@3") == f"{model},{odd},gone@3"
    with pytest.raises(UsageError, match="not a run directory"):
        with_runs(str(tmp_path))
