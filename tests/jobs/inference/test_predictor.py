"""A net that is asked about image files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import protonet.pycaffe as caffe
from protonet.data.datum import encode_image
from protonet.data.transform import Transformer
from protonet.errors import DataError, FormatError, UsageError
from protonet.jobs.inference.predictor import ImagePredictor
from protonet.proto.caffe_pb2 import TEST, TransformationParameter
from protonet.proto.text import Source

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "examples" / "pycaffe" / "deploy.prototxt"
WEIGHTS = ROOT / "tests" / "golden" / "digits" / "digits_iter_200.caffemodel"


def transformer(*size: int) -> Transformer:
    param = TransformationParameter(scale=1 / 128, mean_value=[64])
    return Transformer(param, TEST, (1, *(size or (8, 8))), crop=(8, 8))


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    """21 gray images of 8 x 8, and one of 11 x 13."""
    generator = np.random.default_rng(1)
    paths = [tmp_path / f"{index}.png" for index in range(22)]
    for index, path in enumerate(paths):
        size = (8, 8) if index < 21 else (11, 13)
        path.write_bytes(encode_image(generator.integers(0, 256, size, np.uint8)))
    return paths


def test_the_answers_are_those_of_the_net(images: list[Path]) -> None:
    with ImagePredictor(Source.read(DEPLOY), WEIGHTS, transformer()) as predictor:
        assert predictor.outputs == {"prob": (1, 10)}
        answers = predictor.predict(images[:21])
    net = caffe.Net(str(DEPLOY), str(WEIGHTS), caffe.TEST)
    for path, answer in zip(images, answers, strict=False):
        pixels = caffe.io.load_image(path, color=False)[:, :, 0] * 255
        net.blobs["data"].data[...] = (pixels - 64) / 128
        expected = net.forward()["prob"][0]
        assert answer.image == path
        np.testing.assert_allclose(answer.outputs["prob"], expected, rtol=1e-4, atol=1e-6)


def test_answers_in_bfloat16(images: list[Path]) -> None:
    answers = []
    for precision in (None, "bfloat16"):
        opened = ImagePredictor(Source.read(DEPLOY), WEIGHTS, transformer(), precision=precision)
        with opened as predictor:
            answers.append(np.stack([a.outputs["prob"] for a in predictor.predict(images[:21])]))
    assert not np.array_equal(*answers)
    np.testing.assert_allclose(answers[1], answers[0], atol=0.03)


def test_ten_crops_are_averaged(images: list[Path]) -> None:
    path = images[-1]
    with ImagePredictor(Source.read(DEPLOY), WEIGHTS, transformer(11, 13)) as predictor:
        (centre,) = predictor.predict([path])
        predictor.oversample()
        answers = predictor.predict([path, path])
    pixels = caffe.io.load_image(path, color=False) * 255
    net = caffe.Net(str(DEPLOY), str(WEIGHTS), caffe.TEST)
    crops = (caffe.io.oversample([pixels], (8, 8)) - 64) / 128
    every = net.forward_all(data=crops.transpose(0, 3, 1, 2))["prob"]
    np.testing.assert_allclose(centre.outputs["prob"], every[4], rtol=1e-4, atol=1e-6)
    for answer in answers:
        np.testing.assert_allclose(answer.outputs["prob"], every.mean(axis=0), rtol=1e-4, atol=1e-6)
    with (
        ImagePredictor(Source.read(DEPLOY), WEIGHTS, transformer()) as predictor,
        pytest.raises(UsageError, match=r"ten crops need images larger than .* both are 8x8"),
    ):
        predictor.oversample()


def test_images_that_cannot_be_read_are_told(images: list[Path]) -> None:
    images[3].write_bytes(b"text")
    images[5].unlink()
    told: list[tuple[Path, str]] = []
    with ImagePredictor(Source.read(DEPLOY), WEIGHTS, transformer()) as predictor:
        found = list(predictor.stream(images, lambda path, error: told.append((path, str(error)))))
        with pytest.raises(DataError, match=r"3\.png: the data is not an image"):
            predictor.predict(images)
    assert [answer.image for answer in found] == [*images[:3], images[4], *images[6:]]
    assert found[-1].note == "resized from 13x11 to 8x8"
    assert [path for path, _ in told] == [images[3], images[5]]
    assert "not an image" in told[0][1]
    assert "No such file" in told[1][1]


def test_channels_can_be_swapped(tmp_path: Path) -> None:
    """Input 0 is red: the middle of the image files, which are blue, green, red inside."""
    deploy = 'layer { name: "d" type: "Input" top: "d" input_param { shape { dim: 1 dim: 3 dim: 2 '
    deploy += 'dim: 4 } } } layer { name: "p" type: "Power" bottom: "d" top: "p" }'
    weights = tmp_path / "w.npz"
    np.savez(weights, **{"none/0": np.zeros(1, np.float32)})
    image = np.arange(24, dtype=np.uint8).reshape(3, 2, 4)
    (tmp_path / "i.png").write_bytes(encode_image(image))
    plain = Transformer(TransformationParameter(), TEST, (3, 2, 4))
    for order in ((2, 1, 0), (1, 2, 0), None):
        with ImagePredictor(Source("n", deploy), weights, plain, None, order) as predictor:
            (answer,) = predictor.predict([tmp_path / "i.png"])
        np.testing.assert_array_equal(answer.outputs["p"], image[list(order or (0, 1, 2))])


def test_weights_and_channels_that_do_not_fit(tmp_path: Path, images: list[Path]) -> None:
    text = DEPLOY.read_text().replace('"ip2"', '"ip3"')
    with (
        ImagePredictor(Source("n", text), WEIGHTS, transformer()) as predictor,
        pytest.raises(FormatError, match="has no weights for ip3 of n"),
    ):
        predictor.predict(images[:1])
    text = DEPLOY.read_text().replace("dim: 1 dim: 1", "dim: 1 dim: 2")
    two = Transformer(TransformationParameter(), TEST, (2, 8, 8))
    with (
        ImagePredictor(Source("n", text), WEIGHTS, two) as predictor,
        pytest.raises(DataError, match="n: takes data of 2 channels, but images have 1 or 3"),
    ):
        predictor.predict(images[:1])
