"""InfogainLoss and its matrix."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.formats.blobs import from_array
from protonet.layers.base import LayerContext
from protonet.layers.infogain import InfogainLoss
from protonet.proto.caffe_pb2 import TRAIN
from protonet.testing import LayerHarness, parse_layer
from tests.layers.test_class_losses import X, run


def test_the_unit_matrix_makes_infogain_a_softmax_loss() -> None:
    generator = np.random.default_rng(0)
    x, labels = generator.standard_normal((2, 4, 3)), [[0, 2, 9], [1, 9, 3]]
    fields = "loss_param { ignore_label: 9 }"
    expected = run(f'type: "SoftmaxWithLoss" {fields}', x, labels)
    found = run(f'type: "InfogainLoss" {fields}', x, labels, np.eye(4))
    np.testing.assert_allclose(found[0], expected[0])
    np.testing.assert_allclose(found[1], expected[1], atol=1e-15)


def infogain(source: Path, shape: tuple[int, ...] = (2, 3)) -> InfogainLoss:
    """The layer, set up, with H in a file."""
    spec = parse_layer(f'type: "InfogainLoss" infogain_loss_param {{ source: "{source.name}" }}', 2)
    layer = InfogainLoss(spec, TRAIN, LayerContext(folder=source.parent))
    layer.setup()
    layer.infer([shape, shape[:1]])
    return layer


def test_the_matrix_in_a_file_and_in_a_bottom(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    matrix = np.arange(9.0).reshape(3, 3)
    (tmp_path / "h.binaryproto").write_bytes(from_array(matrix).SerializeToString())
    monkeypatch.chdir(tmp_path)
    text = 'type: "InfogainLoss" infogain_loss_param { source: "h.binaryproto" }'
    expected = run('type: "InfogainLoss"', X, [0, 1], matrix)
    found = run(text, X, [0, 1])
    assert found[0] == expected[0]
    assert found[1].tolist() == expected[1].tolist()


def test_matrices_that_cannot_be(tmp_path: Path) -> None:
    path = tmp_path / "h.binaryproto"
    path.write_bytes(from_array(np.ones((4, 4))).SerializeToString())
    with pytest.raises(LayerError) as caught:
        infogain(path)
    assert str(caught.value) == "expected a matrix H of 3 x 3 classes, got 4x4"
    path.write_bytes(b"no blob at all")
    with pytest.raises(LayerError) as caught:
        infogain(path)
    assert caught.value.path == ("infogain_loss_param", "source")
    assert str(path) in str(caught.value)
    path.unlink()
    with pytest.raises(LayerError, match=r"h\.binaryproto"):
        infogain(path)


def test_a_second_top_holds_the_probabilities() -> None:
    harness = LayerHarness('type: "InfogainLoss" top: "l" top: "p"', [X, [0, 1], np.eye(3)])
    np.testing.assert_allclose(harness.forward()[1].sum(axis=1), [1, 1], rtol=1e-6)
