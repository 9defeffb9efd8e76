"""A test net measures what was learned, or is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from protonet.data.create import create_gradients
from protonet.errors import DataError, NetworkError
from protonet.jobs.training.start import start
from tests.jobs.nets import SEED, net_of, settings_of


@pytest.fixture
def small(tmp_path: Path) -> dict[str, Path]:
    """Validation images of 9 x 8, where those of training are 20 x 17."""
    create_gradients(tmp_path / "small", 9, 8, 4, 2)
    return {name: tmp_path / "small" / name.replace("data", "images")
            for name in ("val_data", "val_labels")}  # fmt: skip


def test_validation_images_of_another_size_are_no_silent_noise(
    gradients: Path, tmp_path: Path, small: dict[str, Path]
) -> None:
    """Each net would have weights of its own, and validation would measure those of its fillers."""
    settings = settings_of(gradients, tmp_path / "run", mean="none", **small)
    with pytest.raises(
        NetworkError,
        match=r'layer "hidden" \(InnerProduct\): its parameters are 2x72 and 2 in the test net, '
        "but 2x340 and 2 in the train net.*: the images are 1x17x20 in training and 1x8x9 in val",
    ):
        start(net_of(SEED), settings)
    assert not (tmp_path / "run").exists()


def test_the_mean_is_not_blamed(gradients: Path, tmp_path: Path, small: dict[str, Path]) -> None:
    settings = settings_of(gradients, tmp_path / "run", mean=None, **small)
    with pytest.raises(
        DataError, match=r"small/val_images: its images are 1x8x9, but those of .*/train_images"
    ) as caught:
        start(net_of(SEED), settings)
    assert "mean.binaryproto" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_a_layer_of_the_test_net_alone_is_its_own(gradients: Path, tmp_path: Path) -> None:
    more = (
        'layer { name: "own" type: "InnerProduct" bottom: "output" top: "own" '
        'inner_product_param { num_output: 3 } include { stage: "val" } }'
    )
    start(net_of(SEED + more), settings_of(gradients, tmp_path / "run", epochs=1.0))
