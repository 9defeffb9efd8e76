"""io: images, records, messages, and the Transformer's order of things."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

import protonet.pycaffe as caffe
from protonet.errors import DataError
from protonet.proto.caffe_pb2 import BlobProto
from protonet.pycaffe import io


def test_images_are_read_as_rgb_from_0_to_1(tmp_path: Path) -> None:
    image = np.zeros((4, 5, 3))
    image[:, :, 0], image[1, 2] = 1, (0.2, 0.4, 0.6)
    io.save_image(tmp_path / "x.png", image)
    found = io.load_image(tmp_path / "x.png")
    assert (found.shape, found.dtype) == ((4, 5, 3), np.float32)
    np.testing.assert_allclose(found, image, atol=1e-6)
    assert io.load_image(str(tmp_path / "x.png"), color=False).shape == (4, 5, 1)
    io.save_image(tmp_path / "g.png", image[:, :, 0])
    assert io.load_image(tmp_path / "g.png").shape == (4, 5, 3)
    with pytest.raises(DataError, match=r"nowhere\.png: cannot be read"):
        io.load_image(tmp_path / "nowhere.png")
    with (tmp_path / "x.png").open("rb") as file:
        np.testing.assert_array_equal(io.load_image(file), found)
    with pytest.raises(DataError, match="the image"):
        io.load_image(BytesIO(b"no image"))


def test_another_size() -> None:
    row = np.array([[[0.0], [4.0]]])
    assert io.resize_image(row, (1, 4))[0, :, 0].tolist() == [0, 1, 3, 4]
    assert io.resize_image(row, (2, 4), interp_order=0)[:, :, 0].tolist() == [[0, 0, 4, 4]] * 2
    with pytest.raises(ValueError, match=r"expected order 0 \(nearest\) or 1 \(bilinear\), got 3"):
        io.resize_image(row, (1, 4), interp_order=3)


def test_ten_crops() -> None:
    image = np.arange(5 * 6, dtype=np.float32).reshape(5, 6, 1)
    crops = io.oversample([image], (3, 4))
    assert crops.shape == (10, 3, 4, 1)
    corners = [crop[0, 0, 0] for crop in crops[:5]]
    assert corners == [0, 2, 12, 14, 7]
    np.testing.assert_array_equal(crops[5:], crops[:5, :, ::-1])
    with pytest.raises(ValueError, match="expected images of 9x4 or more, got 5x6"):
        io.oversample([image], (9, 4))


def test_records_and_messages_go_round() -> None:
    for array in (
        np.arange(24, dtype=np.uint8).reshape(2, 3, 4),
        np.linspace(0, 1, 24, dtype=np.float32).reshape(2, 3, 4),
    ):
        datum = io.array_to_datum(array, 7)
        assert datum.label == 7
        np.testing.assert_array_equal(io.datum_to_array(datum), array)
        blob = io.array_to_blobproto(array, diff=array + 1)
        np.testing.assert_array_equal(io.blobproto_to_array(blob), array)
        np.testing.assert_array_equal(io.blobproto_to_array(blob, return_diff=True), array + 1)
    with pytest.raises(ValueError, match="3 axes"):
        io.array_to_datum(np.ones((2, 3)))
    legacy = caffe.proto.caffe_pb2.BlobProto(num=1, channels=2, height=1, width=2, data=range(4))
    assert io.blobproto_to_array(legacy).shape == (1, 2, 1, 2)
    arrays = [np.ones((2, 3), np.float32), np.zeros(4, np.float32)]
    found = io.blobprotovector_str_to_arraylist(io.arraylist_to_blobprotovector_str(arrays))
    assert [each.tolist() for each in found] == [each.tolist() for each in arrays]


def test_the_transformer_does_things_in_caffes_order() -> None:
    image = np.random.default_rng(0).random((5, 7, 3))
    transformer = io.Transformer({"data": (4, 3, 5, 7)})
    transformer.set_transpose("data", (2, 0, 1))
    transformer.set_channel_swap("data", (2, 1, 0))
    transformer.set_raw_scale("data", 255)
    transformer.set_mean("data", np.array([104.0, 117, 123]))
    transformer.set_input_scale("data", 0.5)
    found = transformer.preprocess("data", image)
    expected = image.transpose(2, 0, 1)[::-1] * 255
    expected = (expected - np.array([104.0, 117, 123])[:, None, None]) * 0.5
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(transformer.deprocess("data", found[None]), image, atol=1e-5)


def test_the_transformer_resizes_and_takes_mean_images() -> None:
    transformer = io.Transformer({"data": (4, 1, 4, 6)})
    transformer.set_mean("data", np.full((4, 6), 2.0))
    transformer.set_transpose("data", (2, 0, 1))
    found = transformer.preprocess("data", np.full((8, 9, 1), 5.0))
    assert found.shape == (1, 4, 6)
    np.testing.assert_allclose(found, 3)


def test_what_the_transformer_refuses() -> None:
    transformer = io.Transformer({"data": (4, 3, 5, 7)})
    for call, message in (
        (lambda: transformer.set_raw_scale("image", 1), "'image' is not one of the net inputs"),
        (lambda: transformer.set_transpose("data", (1, 0)), "an order of 3 axes"),
        (lambda: transformer.set_channel_swap("data", (1, 0)), "expected 3 channels"),
        (lambda: transformer.set_mean("data", np.ones(2)), "a mean of 3 channels, got 2"),
        (lambda: transformer.set_mean("data", np.ones((3, 5, 6))), r"of shape \(3, 5, 7\)"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_a_message_without_a_shape_is_a_scalar() -> None:
    """As Caffe's blobproto_to_array: one value is a scalar, more are refused by ValueError."""
    blob = BlobProto(data=[123.0])
    assert io.blobproto_to_array(blob) == 123
    assert io.blobproto_to_array(blob).shape == ()
    blob.data.extend([1.0] * 99)
    with pytest.raises(ValueError, match="100 value"):
        io.blobproto_to_array(blob)
    blob.diff.extend([1.0] * 100)
    with pytest.raises(ValueError, match="reshape"):
        io.blobproto_to_array(blob, return_diff=True)


def test_messages_in_the_old_form_and_the_new() -> None:
    values = np.arange(12.0)
    old = BlobProto(num=1, channels=1, height=3, width=4, data=values)
    new = BlobProto(data=values)
    new.shape.dim.extend([3, 4])
    np.testing.assert_array_equal(io.blobproto_to_array(old), values.reshape(1, 1, 3, 4))
    np.testing.assert_array_equal(io.blobproto_to_array(new), values.reshape(3, 4))


def test_a_label_that_was_not_given_is_not_stored() -> None:
    array = np.ones((2, 3, 4))
    assert io.array_to_datum(array, label=0).HasField("label")
    assert not io.array_to_datum(array).HasField("label")
