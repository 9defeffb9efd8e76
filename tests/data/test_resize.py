"""Images in another size."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.data.resize import resize


def test_bilinear_takes_the_nearest_centres() -> None:
    row = np.array([[0.0, 4.0]])
    # Centres of the new pixels lie at 0.25, 0.75, 1.25, 1.75 of the old ones.
    np.testing.assert_allclose(resize(row, 1, 4), [[0, 1, 3, 4]])
    np.testing.assert_allclose(resize(np.array([[0.0, 2, 4, 6]]), 1, 2), [[1, 5]])


def test_axes_are_resized_each_by_itself() -> None:
    image = np.random.default_rng(0).random((5, 7, 3))
    found = resize(image, 11, 4)
    assert found.shape == (11, 4, 3)
    transposed = resize(image.transpose(1, 0, 2), 4, 11).transpose(1, 0, 2)
    np.testing.assert_allclose(found, transposed)
    ramp = np.add.outer(np.arange(8.0), 10 * np.arange(6.0))
    inner = resize(ramp, 16, 12)[1:-1, 1:-1]
    np.testing.assert_allclose(np.diff(inner, axis=0), 0.5)
    np.testing.assert_allclose(np.diff(inner, axis=1), 5)


def test_the_same_size_is_the_same_image() -> None:
    image = np.random.default_rng(0).random((5, 7))
    np.testing.assert_array_equal(resize(image, 5, 7), image)


def test_nearest() -> None:
    assert resize(np.array([[0.0, 1, 2]]), 2, 6, 0).tolist() == [[0, 0, 1, 1, 2, 2]] * 2
    assert resize(np.array([[0.0, 1, 2, 3]]), 1, 2, 0).tolist() == [[0, 2]]


def test_what_cannot_be() -> None:
    with pytest.raises(ValueError, match=r"expected order 0 \(nearest\) or 1 \(bilinear\), got 3"):
        resize(np.ones((2, 2)), 4, 4, 3)
    with pytest.raises(ValueError, match="cannot become 0 x 4"):
        resize(np.ones((2, 2)), 0, 4)
