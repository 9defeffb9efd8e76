"""A test net measures what was learned, or is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from protonet.data.create import create_gradients
from protonet.errors import DataError, NetworkError
from protonet.graph.planning import plan_net
from protonet.jobs.checks.sharing import (
    refuse_files,
    refuse_moments,
    refuse_regrouped,
    refuse_whole_batches,
)
from protonet.jobs.training.start import start
from protonet.layers.base import LayerContext
from protonet.proto.caffe_pb2 import TRAIN
from protonet.ranks.communicator import Communicator
from tests.graph.nets import plan_of
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


def test_ranks_need_batches_to_share_out() -> None:
    """Each rank would compute the same batch, and the gradients of all would be added up."""
    plan = plan_of(
        'layer { name: "x" type: "DummyData" top: "x" dummy_data_param { shape { dim: 4 } } }'
    )
    with pytest.raises(NetworkError, match="no layer whose batches several ranks can share out"):
        refuse_whole_batches(plan)


def test_ranks_do_not_write_one_file(tmp_path: Path) -> None:
    inputs = 'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 4 dim: 3 } } }'
    refuse_files(plan_of(inputs))
    plan = plan_of(
        inputs + 'layer { name: "out" type: "HDF5Output" bottom: "x" bottom: "x" '
        f'hdf5_output_param {{ file_name: "{tmp_path}/out.h5" }} }}'
    )
    with pytest.raises(NetworkError, match=r'"out" \(HDF5Output\): several ranks would write'):
        refuse_files(plan)


def test_batches_that_become_steps_of_sequences_are_refused(gradients: Path) -> None:
    """Images of 3 steps of 4 sequences, one step after another: half of them are no sequences."""
    ranks = Communicator()
    ranks.size = 2
    text = (
        f'layer {{ name: "data" type: "Data" top: "x" data_param {{ source: '
        f'"{gradients / "train_images"}" batch_size: 12 }} }}'
        'layer { name: "flat" type: "Reshape" bottom: "x" top: "flat" '
        "reshape_param { shape { dim: 0 dim: -1 } } }"
    )
    steps = (
        'layer { name: "steps" type: "Reshape" bottom: "flat" top: "y" '
        "reshape_param { shape { dim: 3 dim: -1 dim: 340 } } }"
    )
    for more in ("", steps):
        plan = plan_net(net_of(text + more), phase=TRAIN, context=LayerContext(ranks=ranks))
        if more:
            with pytest.raises(NetworkError, match=r'"steps" \(Reshape\): its first axis, 3, is'):
                refuse_regrouped(plan)
        else:
            refuse_regrouped(plan)
        plan.close()


def test_moments_of_all_need_tops_of_one_size() -> None:
    plan = plan_of(
        'layer { name: "x" type: "Input" top: "x" top: "s" '
        "input_param { shape { dim: 4 dim: 3 } shape { dim: 4 } } }"
        'layer { name: "some" type: "Filter" bottom: "x" bottom: "s" top: "y" }'
        'layer { name: "norm" type: "BatchNorm" bottom: "y" top: "y" }'
    )
    with pytest.raises(NetworkError, match=r'layer "some" \(Filter\): its tops differ in size'):
        refuse_moments(plan)
    refuse_moments(plan_of('layer { name: "x" type: "DummyData" top: "x" '
                           "dummy_data_param { shape { dim: 4 } } }"))  # fmt: skip
