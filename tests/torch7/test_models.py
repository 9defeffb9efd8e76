"""Models in .t7 files: what is a model, and what is refused with its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from protonet.errors import FormatError, NetworkError
from protonet.torch7 import serial
from protonet.torch7.deployed import open_deployed
from protonet.torch7.models import objects_in, read_model, tree
from protonet.torch7.objects import Table, Tensor, TorchObject
from tests.torch7.trees import nn, seed_net, sequential


def saved(tmp_path: Path, value: Any) -> Path:
    path = tmp_path / "model.t7"
    serial.save(path, value)
    return path


def test_a_model_is_read_with_its_weights(tmp_path: Path) -> None:
    made = seed_net()
    read = read_model(saved(tmp_path, made))
    assert [each.typename for each in tree(read)] == [
        "nn.Sequential",
        "nn.MulConstant",
        "nn.View",
        "nn.Linear",
    ]
    linear, given = read.fields["modules"][3], made.fields["modules"][3]
    np.testing.assert_array_equal(linear.fields["weight"].array, given.fields["weight"].array)


def test_a_checkpoint_holds_the_model_under_its_name(tmp_path: Path) -> None:
    table = Table(epoch=3, model=nn("MulConstant", 2), criterion=nn("MSECriterion"))
    assert read_model(saved(tmp_path, table)).typename == "nn.MulConstant"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (Tensor.of(np.zeros(5)), "is a tensor of 5 numbers, such as the weights of a net"),
        (Table(epoch=3, loss=0.5), "has no module of Torch7, but a table with epoch, loss"),
        (7, "has no module of Torch7, but a int"),
    ],
)
def test_what_is_no_model_is_told(value: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=rf"model\.t7: {message}"):
        read_model(saved(tmp_path, value))


def test_all_unknown_modules_are_told_with_their_place(tmp_path: Path) -> None:
    inner = sequential()
    inner.fields["modules"] = Table.of([TorchObject("nn.Lineer"), nn("MSECriterion")])
    net = sequential(nn("MulConstant", 2))
    net.fields["modules"][2] = inner
    path = saved(tmp_path, net)
    at = path.read_bytes().index(b"nn.Lineer") - 19
    with pytest.raises(NetworkError) as refused:
        read_model(path)
    first, second = str(refused.value).split(
        "\n    docs/torch7.md lists the modules that are known\n"
    )
    assert first == (
        f"{path}: modules/2/modules/1 (byte {at}): protonet has no module 'nn.Lineer'; "
        "did you mean 'nn.Linear'?"
    )
    assert "modules/2/modules/2 (byte" in second
    assert "nn.MSECriterion is a criterion, not a module" in second


def test_a_tree_that_repeats_itself_is_refused(tmp_path: Path) -> None:
    wide = nn("MulConstant", 2)
    for _ in range(40):
        wide = sequential(wide, wide)
    with pytest.raises(FormatError, match="has more than 20,000 modules"):
        read_model(saved(tmp_path, wide))
    deep = nn("MulConstant", 2)
    for _ in range(300):
        deep = sequential(deep)
    with pytest.raises(FormatError, match="modules are nested deeper than 200"):
        read_model(saved(tmp_path, deep))


def test_modules_of_old_versions_have_their_present_fields(tmp_path: Path) -> None:
    norm = TorchObject(
        "nn.SpatialBatchNormalization", Table(eps=1e-3, running_std=Tensor.of([2, 4.0]))
    )
    conv = TorchObject("nn.SpatialConvolution", Table(padding=2))
    graph = nn("MulConstant", 2)
    graph.fields["nodes"] = Table.of([norm, conv])
    read = read_model(saved(tmp_path, graph))
    assert len(list(objects_in(read))) == 3
    norm, conv = read.fields["nodes"].sequence
    np.testing.assert_allclose(norm.fields["running_var"].array, [0.25 - 1e-3, 0.0625 - 1e-3])
    assert (norm.version, "running_std" in norm.fields) == (2, False)
    assert (conv.fields["padW"], conv.fields["padH"], "padding" in conv.fields) == (2, 2, False)


def test_a_wrapper_without_its_module_is_told(tmp_path: Path) -> None:
    path = saved(tmp_path, TorchObject("nn.WeightNorm", Table(modules=Table())))
    with pytest.raises(NetworkError, match=r"nn\.WeightNorm: expected a module inside"):
        open_deployed(path, (3, 4, 5))
