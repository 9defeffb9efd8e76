"""Blobs as Caffe's Python module shows them."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.layers.python_api import Blob, BlobVec


def test_a_blob_begins_with_zeros_and_keeps_what_is_written() -> None:
    blob = Blob(2, 3)
    assert (blob.shape, blob.count) == ((2, 3), 6)
    blob.data[...] = 4
    blob.diff[0] = 1
    blob.reshape(3, 2)
    assert blob.data.tolist() == [[4, 4]] * 3
    assert blob.diff.sum() == 3
    blob.reshape(5)
    assert blob.data.tolist() == [0] * 5


def test_a_bound_blob_is_the_array() -> None:
    blob, data = Blob(), np.ones((2, 3))
    blob.bind(data, None)
    assert blob.data is data
    assert blob.diff.shape == (2, 3)


def test_the_four_axes_of_old() -> None:
    blob = Blob(2, 3, 5)
    assert (blob.num, blob.channels, blob.height, blob.width) == (2, 3, 5, 1)
    with pytest.raises(ValueError, match="5 axes"):
        _ = Blob(1, 2, 3, 4, 5).num


def test_parameters_are_added_one_by_one() -> None:
    blobs = BlobVec()
    blobs.add_blob(2, 3)
    blobs.add_blob(4)
    assert [blob.shape for blob in blobs] == [(2, 3), (4,)]
    assert len(blobs) == 2
    assert blobs[-1].shape == (4,)
