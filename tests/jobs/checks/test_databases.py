"""Databases of a run that cannot be used together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from protonet.errors import DataError
from protonet.jobs.checks.databases import check_databases, refuse_other_sizes
from protonet.jobs.run.settings import RunSettings
from protonet.jobs.training.start import start
from tests.jobs.nets import SEED, net_of, settings_of


def test_a_training_asks_for_the_option(gradients: Path, renamed: Path) -> None:
    settings = RunSettings(data=gradients / "train_images", labels=renamed)
    with pytest.raises(DataError, match="--by-position"):
        check_databases(settings)
    settings = RunSettings(data=gradients / "train_images", labels=renamed, by_position=True)
    assert len(check_databases(settings)) == 1


def test_a_mean_of_another_size_is_told_by_its_own_name(gradients: Path, tmp_path: Path) -> None:
    """Not by that of the copy in a run that is removed again."""
    np.save(tmp_path / "mean.npy", np.zeros((1, 3, 3), np.float32))
    settings = settings_of(gradients, tmp_path / "run", mean=str(tmp_path / "mean.npy"))
    with pytest.raises(DataError) as caught:
        start(net_of(SEED), settings)
    assert str(caught.value).startswith(
        f"{tmp_path}/mean.npy: the mean is 1x3x3, but the images of {settings.data} are 1x"
    )
    assert not (tmp_path / "run").exists()


def test_validation_images_of_another_size_are_refused(gradients: Path) -> None:
    same = RunSettings(data=gradients / "train_images", val_data=gradients / "val_images")
    refuse_other_sizes(same)
    vectors = RunSettings(data=gradients / "train_images", val_data=gradients / "val_labels")
    with pytest.raises(DataError, match=r"val_labels: its images are 1x1x2, but "):
        refuse_other_sizes(vectors)
