"""Quantization after training: the file that is written, and what is told of it."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from protonet.device import Device
from protonet.errors import FormatError, NetworkError, UsageError
from protonet.formats.caffemodel import read_model, read_weights, write_weights
from protonet.graph.int8 import computes_in_integers, measured_values, ranges_of
from protonet.jobs.quantization.quantize import Counts, Quantized, quantize
from protonet.jobs.quantization.ranges import RangeChoice
from protonet.jobs.quantization.subject import Given, opened
from protonet.proto.caffe_pb2 import NetParameter

GOLDEN = Path(__file__).parents[2] / "golden" / "digits"
NET, WEIGHTS = GOLDEN / "train_val.prototxt", GOLDEN / "digits_iter_200.caffemodel"
MINMAX = RangeChoice("minmax")


@pytest.fixture(autouse=True)
def _beside_its_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(GOLDEN)


def quantized(
    out: Path, weights: Path = WEIGHTS, choice: RangeChoice = MINMAX, **counts: int
) -> Quantized:
    device = Device()
    if not computes_in_integers(device):
        device = Device(tuned=False)  # which computes by the definitions
    with opened(Given(net=NET, weights=weights), device) as subject:
        return quantize(subject, out, choice, Counts(**counts))


def test_the_file_has_the_weights_and_the_ranges(tmp_path: Path) -> None:
    out = tmp_path / "int8.caffemodel"
    found = quantized(out)
    before, after = read_model(WEIGHTS), read_model(out)
    with opened(Given(net=NET, weights=WEIGHTS), Device()) as subject:
        net = subject.net()
    params = {each.name: each.int8_param for each in after.layer if each.HasField("int8_param")}
    ranges = ranges_of(net.plan, params)
    assert set(ranges) == set(measured_values(net.plan))
    by_name = {value.name: told for value, told in ranges.items()}
    assert by_name["data"] == (-0.5, 1.484375)
    assert [layer.name for layer in found.layers] == ["conv1", "conv2", "ip1", "ip2"]
    for layer, blob in zip(found.layers, ("data", "norm1", "pool2", "ip1"), strict=True):
        assert by_name[blob] == pytest.approx((layer.bottom.low, layer.bottom.high))
        assert layer.bottom.clipped == 0
        assert 40 < layer.bottom.snr < 60
        assert 40 < layer.weights < 60
    # all else is as it was
    for message in (before, after):
        for each in message.layer:
            each.ClearField("int8_param")
    assert [each for each in after.layer if each.name in {e.name for e in before.layer}] == list(
        before.layer
    )
    assert (found.records, found.disjoint, found.others) == (297, False, ())


def test_caffe_skips_what_it_does_not_know(tmp_path: Path) -> None:
    """The field is unknown in Caffe's schema: without it the message is what it was."""
    out = tmp_path / "int8.caffemodel"
    quantized(out, compared=0)
    for name, arrays in read_weights(WEIGHTS).items():
        for ours, theirs in zip(read_weights(out)[name], arrays, strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_weights_of_other_formats(tmp_path: Path) -> None:
    for suffix in (".npz", ".caffemodel"):
        weights = tmp_path / f"w{suffix}"
        write_weights(weights, read_weights(WEIGHTS))
        quantized(tmp_path / "int8.caffemodel", weights, compared=0)
        found = read_model(tmp_path / "int8.caffemodel")
        with_ranges = {each.name for each in found.layer if each.HasField("int8_param")}
        assert {"digits", "conv1", "norm1", "ip2"} <= with_ranges
        assert {each.name for each in found.layer if each.blobs} == {"conv1", "conv2", "ip1", "ip2"}


def test_old_ranges_are_replaced(tmp_path: Path) -> None:
    one, two = tmp_path / "one.caffemodel", tmp_path / "two.caffemodel"
    quantized(one, compared=0)
    assert quantized(two, one, compared=0).records == 297
    assert two.read_bytes() == one.read_bytes()


def test_records_are_apart(tmp_path: Path) -> None:
    found = quantized(tmp_path / "int8.caffemodel", calibrated=64, compared=100)
    assert (found.records, found.disjoint) == (64, True)
    compared = found.comparison
    assert compared is not None
    assert compared.records == compared.known == 100
    assert compared.agreement is not None
    assert compared.agreement > 0.98
    assert compared.accuracies is not None


@pytest.mark.parametrize("method", ["minmax", "percentile", "mse"])
def test_the_accuracy_is_that_of_float32(tmp_path: Path, method: str) -> None:
    """Within 0.5 %, of all 297 test records."""
    found = quantized(tmp_path / "int8.caffemodel", choice=RangeChoice(method))
    assert found.comparison is not None
    assert found.comparison.accuracies is not None
    exact, rounded = found.comparison.accuracies
    assert exact == pytest.approx(0.882155, abs=1e-5)  # Caffe's
    assert abs(rounded - exact) <= 0.005
    (scores,) = [each for each in found.comparison.outputs if each.name == "ip2"]
    assert 30 < scores.snr < 60  # in 8 bits indeed


def test_what_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"ends in \.caffemodel, which holds the ranges"):
        quantized(tmp_path / "int8.h5")
    net = tmp_path / "net.prototxt"
    net.write_text(
        'layer { name: "data" type: "Data" top: "data" top: "label" '
        f'data_param {{ source: "{GOLDEN / "test_db"}" batch_size: 3 backend: LMDB }} }}'
        'layer { name: "mean" type: "Reduction" bottom: "data" top: "mean" }'
    )
    given = Given(net=net, weights=WEIGHTS)
    out = tmp_path / "int8.caffemodel"
    with (
        opened(given, Device()) as subject,
        pytest.raises(NetworkError, match="no layer of it can compute in 8 bits"),
    ):
        quantize(subject, out, MINMAX, Counts())
    weights = {name: list(params) for name, params in read_weights(WEIGHTS).items() if params}
    spoilt = weights["conv2"][0]
    assert spoilt is not None
    spoilt[0, 0, 0, 0] = math.nan
    write_weights(tmp_path / "nan.caffemodel", weights)
    wrong = r"nan.caffemodel: parameter 0 of layer 'conv2' \(Convolution\) has values that are not"
    with pytest.raises(FormatError, match=wrong):
        quantized(out, tmp_path / "nan.caffemodel")
    assert not out.exists()


def test_weights_of_the_last_layer_are_finite_too(tmp_path: Path) -> None:
    """No blob behind it is measured that would tell."""
    weights = {name: list(params) for name, params in read_weights(WEIGHTS).items() if params}
    bias = weights["ip2"][1]
    assert bias is not None
    bias[3] = -math.inf
    write_weights(tmp_path / "w.caffemodel", weights)
    with pytest.raises(FormatError, match="parameter 1 of layer 'ip2'"):
        quantized(tmp_path / "int8.caffemodel", tmp_path / "w.caffemodel")
    assert [path.name for path in tmp_path.iterdir()] == ["w.caffemodel"]


def test_layers_that_only_move_values_are_not_enough(tmp_path: Path) -> None:
    net = tmp_path / "net.prototxt"
    net.write_text(
        'layer { name: "data" type: "Data" top: "data" top: "label" '
        f'data_param {{ source: "{GOLDEN / "test_db"}" batch_size: 3 backend: LMDB }} }}'
        'layer { name: "relu" type: "ReLU" bottom: "data" top: "relu" }'
    )
    with (
        opened(Given(net=net, weights=WEIGHTS), Device()) as subject,
        pytest.raises(NetworkError, match="no layer of it can compute in 8 bits"),
    ):
        quantize(subject, tmp_path / "int8.caffemodel", MINMAX, Counts())


def test_a_path_is_refused_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise AssertionError("calibrated first")

    monkeypatch.setattr("protonet.jobs.quantization.quantize.calibrate", fails)
    with pytest.raises(UsageError, match="cannot be written: No such file or directory"):
        quantized(tmp_path / "nowhere" / "int8.caffemodel")


def test_a_failure_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "int8.caffemodel"
    quantized(out, compared=0)
    before = out.read_bytes()

    def fails(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("protonet.jobs.quantization.quantize.compare", fails)
    with pytest.raises(KeyboardInterrupt):
        quantized(out, calibrated=16)
    assert out.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["int8.caffemodel"]


def test_layers_of_one_name(tmp_path: Path) -> None:
    """A file of a training has the data layers of both phases."""
    message = read_model(WEIGHTS)
    twice = NetParameter()
    twice.CopyFrom(message)
    twice.layer.insert(0, message.layer[0])
    weights = tmp_path / "w.caffemodel"
    weights.write_bytes(twice.SerializeToString())
    out = tmp_path / "int8.caffemodel"
    quantized(out, weights, compared=0)
    names = [each.name for each in read_model(out).layer]
    assert names[:2] == [message.layer[0].name] * 2
