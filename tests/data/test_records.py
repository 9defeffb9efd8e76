"""Decoded images: kept or not, the same."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from protonet.data import database as module
from protonet.data.database import Database
from protonet.data.datum import decode, make_datum
from protonet.data.records import Records
from protonet.errors import DataError
from protonet.proto.caffe_pb2 import Datum

Make = Callable[..., Path]
SHAPE = (2, 3, 5)
ALL = 7 * 2 * 3 * 5


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which records were decoded."""
    seen: list[str] = []

    def watch(datum: Datum, where: str, **settings: Any) -> np.ndarray:
        seen.append(where[-3:-1])
        return decode(datum, where, **settings)

    monkeypatch.setattr(module, "decode", watch)
    return seen


@pytest.mark.parametrize(("limit", "times"), [(0, 2), (ALL - 1, 2), (ALL, 1), (None, 1)])
def test_images_are_kept_where_they_fit(
    make_database: Make, decoded: list[str], limit: int | None, times: int
) -> None:
    database = Database(make_database())
    expected = [(decode(datum, ""), datum.label) for _, datum in database]
    records = Records(database, SHAPE, limit=limit)
    decoded.clear()
    for _ in range(2):
        for row, (image, label) in enumerate(expected):
            found, found_label = records.read(row)
            np.testing.assert_array_equal(found, image)
            assert found_label == label
    assert decoded == [f"{row:02}" for row in range(7)] * times
    assert len(records) == 7
    records.close()


def test_threads_read_the_same(make_database: Make) -> None:
    database = Database(make_database())
    expected = [decode(datum, "") for _, datum in database]
    records = Records(database, SHAPE, limit=None)
    rows = np.random.default_rng(0).integers(0, 7, 2000).tolist()
    with ThreadPoolExecutor(8) as pool:
        for row, (image, label) in zip(rows, pool.map(records.read, rows), strict=True):
            assert label == 10 + row
            np.testing.assert_array_equal(image, expected[row])
    records.close()


def test_floats_among_bytes_keep_their_values(make_database: Make) -> None:
    """Such an image is not put among the bytes, where it would be cut to whole numbers."""
    half = np.full((1, 1, 2), 0.5, np.float32)
    path = make_database({"a": make_datum(np.ones((1, 1, 2), np.uint8)), "b": make_datum(half)})
    records = Records(Database(path), (1, 1, 2), limit=None)
    for _ in range(2):
        np.testing.assert_array_equal(records.read(1)[0], half)
    records.close()


def test_another_shape_is_named(make_database: Make) -> None:
    path = make_database(
        {
            "a": make_datum(np.ones((1, 3, 5), np.uint8)),
            "b": make_datum(np.ones((1, 5, 3), np.uint8)),
        }
    )
    records = Records(Database(path), (1, 3, 5))
    with pytest.raises(DataError, match=r"db: key 'b': the image is 1x5x3, .* one is 1x3x5;"):
        records.read(1)
    records.close()


def test_colour_is_forced(make_database: Make) -> None:
    datum = make_datum(np.full((1, 3, 5), 9, np.uint8), encoded=True)
    records = Records(Database(make_database({"a": datum})), (3, 3, 5), color=True)
    np.testing.assert_array_equal(records.read(0)[0], np.full((3, 3, 5), 9))
    records.close()


def test_gray_among_colour_names_the_field_that_helps(make_database: Make) -> None:
    images = [np.zeros((channels, 4, 5), np.uint8) for channels in (3, 1)]
    path = make_database({f"{i}": make_datum(im, encoded=True) for i, im in enumerate(images)})
    records = Records(Database(path), (3, 4, 5))
    with pytest.raises(DataError, match=r"key '1': .*force_color: true or force_gray: true in tr"):
        records.read(1)
    forced = Records(Database(path), (3, 4, 5), color=True)
    assert forced.read(1)[0].shape == (3, 4, 5)
