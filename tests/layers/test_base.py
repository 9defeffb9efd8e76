"""What the base of all layers checks and offers."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from protonet.device import Device
from protonet.errors import LayerError
from protonet.kernels.random_stream import RandomStream
from protonet.layers import layer_class, layer_types
from protonet.layers.base import (
    Layer,
    LayerContext,
    LowPrecision,
    ReshapesTops,
    Stateful,
    Traits,
    Weight,
    shape_text,
)
from protonet.layers.instantiation import check_arity, instantiate
from protonet.precision import type_of
from protonet.proto.caffe_pb2 import TEST, LayerParameter


class Two(Layer):
    bottoms = (1, 2)
    tops = (1, None)


class Paired(Layer):
    bottoms = (1, None)
    tops = (1, None)
    traits = Traits(one_to_one=True)


def spec(bottoms: int, tops: int) -> LayerParameter:
    return LayerParameter(bottom=["b"] * bottoms, top=["t"] * tops)


@pytest.mark.parametrize(
    ("cls", "bottoms", "tops", "message", "path"),
    [
        (Two, 0, 1, "expected 1 to 2 bottom blob(s), got 0", ()),
        (Two, 3, 1, "expected 1 to 2 bottom blob(s), got 3", ("bottom", 2)),
        (Two, 1, 0, "expected at least 1 top blob(s), got 0", ()),
        (Paired, 2, 1, "expected one top for each bottom, got 2 bottom(s) and 1 top(s)", ()),
    ],
)
def test_arity(
    cls: type[Layer], bottoms: int, tops: int, message: str, path: tuple[str | int, ...]
) -> None:
    with pytest.raises(LayerError) as caught:
        check_arity(cls(spec(bottoms, tops)))
    assert str(caught.value) == message
    assert caught.value.path == path


def test_a_right_number_passes() -> None:
    check_arity(Two(spec(2, 5)))
    check_arity(Paired(spec(3, 3)))


def test_axis_counts_from_either_end() -> None:
    layer = Layer(LayerParameter())
    assert layer.axis((2, 3, 5), -1) == 2
    with pytest.raises(LayerError, match="axis 3 is out of range for a bottom of shape 2x3x5"):
        layer.axis((2, 3, 5), 3, ("axis",))


def test_a_layer_without_parts_says_so() -> None:
    layer = Layer(LayerParameter(), TEST)
    assert not layer.training
    assert layer.declare([]) == []
    for call in (
        lambda: layer.infer([]),
        lambda: layer.forward([], []),
        lambda: layer.backward([], [], [], []),
    ):
        with pytest.raises(NotImplementedError):
            call()


def test_files_are_found_from_the_working_directory_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside, here = tmp_path / "beside", tmp_path / "here"
    for folder in (beside, here):
        folder.mkdir()
        (folder / "both").touch()
    (beside / "only").touch()
    monkeypatch.chdir(here)
    context = LayerContext(folder=beside)
    assert context.find("both") == Path("both")
    assert context.find("only") == beside / "only"
    assert context.find("none") == Path("none")


def test_counts_and_texts_of_shapes() -> None:
    assert Weight((2, 3, 5)).count == 30
    assert Weight(()).count == 1
    assert (shape_text((10, 1, 50)), shape_text(())) == ("10x1x50", "scalar")


def test_the_contract_is_short() -> None:
    """What an author must know: attributes of the class and of a layer, methods, properties."""
    names = {name for name in {*dir(Layer), *vars(Layer(LayerParameter()))} if name[0] != "_"}
    names |= set(Layer.__annotations__)
    assert len(names) <= 30, sorted(names)


@pytest.mark.parametrize("name", layer_types())
def test_a_layer_says_what_it_is_in_one_place(name: str) -> None:
    """What a plan may do is in ``traits``, and who has a state to keep is ``Stateful``."""
    cls = layer_class(name)
    assert not {each.name for each in fields(Traits)} & set(dir(cls))
    assert issubclass(cls, Stateful) or not {"state", "restore", "close"} & set(dir(cls))
    assert cls.traits.reshapes_tops == issubclass(cls, ReshapesTops)


def test_products_with_weights_are_kept_in_16_bits() -> None:
    always = {
        each
        for each in layer_types()
        if layer_class(each).traits.low_precision is LowPrecision.ALWAYS
    }
    assert always == {
        "Convolution", "Convolution3D", "ConvolutionDepthwise", "Deconvolution", "Deconvolution3D",
        "DepthwiseConvolution", "InnerProduct", "NdConvolution",
    }  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [
        *("Accuracy", "ArgMax", "BatchReindex", "Data", "DetectionOutput", "Embed", "Exp"),
        *("Filter", "Input", "LSTM", "Log", "PriorBox", "Python", "RNN", "Reduction", "Softmax"),
        *(each for each in layer_types() if layer_class(each).is_loss),
    ],
)
def test_what_a_rounding_would_spoil_is_not(name: str) -> None:
    assert layer_class(name).traits.low_precision is LowPrecision.NEVER


@pytest.mark.parametrize(
    ("dtype", "real"),
    [("float32", "float32"), ("float64", "float64"), ("bfloat16", "float32")],
)
def test_what_is_computed_is_never_of_16_bits(dtype: str, real: str) -> None:
    device = Device("cpu")
    layer = instantiate(
        Layer(LayerParameter()), device, type_of(dtype), RandomStream(device, 0, "l")
    )
    assert layer.real.name == real
