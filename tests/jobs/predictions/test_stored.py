"""Predictions in files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from protonet.errors import FormatError
from protonet.jobs.predictions.stored import StoredPredictions
from tests.jobs.predictions.made import SCORES, of_classes


def test_what_was_written_is_read(tmp_path: Path) -> None:
    found = of_classes(tmp_path)
    assert (found.about.iteration, found.about.count, found.about.classes) == (
        70,
        5,
        ("a", "b", "c"),
    )
    np.testing.assert_array_equal(found.scores, SCORES)
    assert found.truths[:, 0].tolist()[:4] == [0, 0, 1, 1]
    assert np.isnan(found.truths[4, 0])
    assert found.names == ("k0", "k1", "k2", "k3", "k4")
    assert (found.about.failed, found.about.failures) == (("x.png: is damaged",), 1)


@pytest.mark.parametrize("name", ["predictions.json", "names.txt", "scores.npy", "truths.npy"])
def test_absent_and_cut_files_are_named(tmp_path: Path, name: str) -> None:
    of_classes(tmp_path)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(FormatError):
        StoredPredictions.read(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(FormatError, match="cannot be read"):
        StoredPredictions.read(tmp_path)
