"""MultiStageMeanfield, against steps with the filters as dense matrices."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from protonet.errors import DataError, LayerError
from protonet.kernels.permutohedral import Lattice
from protonet.layers.base import LayerContext
from protonet.layers.meanfield import MultiStageMeanfield
from protonet.proto.caffe_pb2 import LayerParameter
from protonet.proto.ignored import ignored_notes
from protonet.proto.text import Source, read_net
from protonet.testing import LayerHarness

FIELDS = """num_iterations: 4 theta_alpha: 3 theta_beta: 8 theta_gamma: 2
    spatial_filter_weight: 3 bilateral_filter_weight: 5"""
SHAPE = (2, 3, 4, 5)


def bottoms() -> list[np.ndarray]:
    generator = np.random.default_rng(7)
    scores = generator.standard_normal((2, *SHAPE))
    return [*scores, generator.uniform(0, 30, (2, 3, 4, 5))]


def layer(fields: str = FIELDS, given: list[np.ndarray] | None = None) -> LayerHarness:
    text = 'type: "MultiStageMeanfield" bottom: "u" bottom: "q" bottom: "image" '
    text += f"multi_stage_meanfield_param {{ {fields} }}"
    return LayerHarness(text, bottoms() if given is None else given, dtype=float)


def normalized(features: np.ndarray) -> np.ndarray:
    kernel = Lattice(features).filter(np.eye(len(features))).T
    return kernel / kernel.sum(axis=1, keepdims=True)


def test_steps_with_dense_matrices() -> None:
    u, x, images = (bottom.reshape(2, 3, 20) for bottom in bottoms())
    y, x_ = np.mgrid[:4, :5].reshape(2, -1)
    near = normalized(np.stack([x_ / 2, y / 2], axis=1))
    expected = np.empty((2, 3, 20))
    for item in range(2):
        alike = normalized(np.stack([x_ / 3, y / 3, *(images[item] / 8)], axis=1))
        now = x[item]
        for _ in range(4):
            e = np.exp(now)
            q = e / e.sum(axis=0)
            now = u[item] + 3 * q @ near.T + 5 * q @ alike.T
        expected[item] = now
    np.testing.assert_allclose(layer().forward()[0].reshape(2, 3, 20), expected, rtol=1e-9)


def made(folder: Path) -> MultiStageMeanfield:
    spec = LayerParameter(name="crf", type="MultiStageMeanfield", bottom=["u", "q", "image"])
    spec.multi_stage_meanfield_param.spatial_filter_weight = 9
    found = MultiStageMeanfield(spec, context=LayerContext(folder))
    found.setup()
    return found


def test_weights_stand_in_files_or_in_the_text(tmp_path: Path) -> None:
    (tmp_path / "bilateral.par").write_text("1 2 3.5 77\n")
    spatial, bilateral, mix = (each.values for each in made(tmp_path).declare([SHAPE] * 3))
    assert spatial is not None
    assert bilateral is not None
    assert mix is not None
    np.testing.assert_array_equal(spatial[0, 0], np.diag([9, 9, 9]))
    np.testing.assert_array_equal(bilateral[0, 0], np.diag([1, 2, 3.5]))
    np.testing.assert_array_equal(mix[0, 0], -np.eye(3))


@pytest.mark.parametrize(("text", "message"), [("1 2", "expected 3 numbers, got 2"),
                                               ("1 x 3", "expected numbers")])  # fmt: skip
def test_files_that_cannot_be(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "spatial.par").write_text(text)
    with pytest.raises(DataError, match=message):
        made(tmp_path).declare([SHAPE] * 3)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("num_iterations: 0", "expected num_iterations of 1 to 1,000, got 0"),
        ("theta_beta: 0", "expected theta_beta above 0, got 0"),
        ("theta_alpha: nan", "expected theta_alpha above 0, got nan"),
    ],
)
def test_settings_that_cannot_be(fields: str, message: str) -> None:
    with pytest.raises(LayerError, match=message):
        layer(fields)


@pytest.mark.parametrize(
    ("place", "shape", "message"),
    [
        (0, (2, 3, 20), "expected scores N x K x H x W"),
        (1, (2, 4, 4, 5), "expected 'q' to be 2x3x4x5, got 2x4x4x5"),
        (2, (2, 1, 4, 5), "expected 'image' to be 2x3x4x5, got 2x1x4x5"),
    ],
)
def test_bottoms_that_do_not_fit(place: int, shape: tuple[int, ...], message: str) -> None:
    given = bottoms()
    given[place] = np.zeros(shape)
    with pytest.raises(LayerError, match=message):
        layer(given=given)


@pytest.mark.parametrize("value", [np.nan, 1e30])
def test_images_that_cannot_be(value: float) -> None:
    given = bottoms()
    given[2][0, 0, 0, 0] = value
    with pytest.raises(LayerError, match=r"'image': .*(NaN|too far apart)"):
        layer(given=given).forward()


def test_the_old_dialect_and_what_has_no_effect() -> None:
    text = """layers { name: "crf" type: MULTI_STAGE_MEANFIELD bottom: "u" bottom: "q" bottom: "x"
        top: "y" multi_stage_meanfield_param { num_iterations: 5 threshold: 2 } }"""
    net = read_net(Source("net", text)).net
    assert net.layer[0].type == "MultiStageMeanfield"
    assert net.layer[0].multi_stage_meanfield_param.num_iterations == 5
    (note,) = ignored_notes(net)
    assert note == "layer.multi_stage_meanfield_param.threshold has no effect here"
