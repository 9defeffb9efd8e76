"""Images and label vectors: paired by key or by place, and told where they look swapped."""

from __future__ import annotations

from pathlib import Path

import pytest

from protonet.data.database import Database
from protonet.errors import DataError
from protonet.graph.planning import plan_net
from protonet.jobs.checks.pairing import large_batches, plan_pairs, refuse_swapped
from protonet.proto.caffe_pb2 import TRAIN
from protonet.proto.text import Source, read_net

NET = """layer {{ name: "a" type: "Data" top: "data" data_param {{ source: "{}" batch_size: 4 }} }}
layer {{ name: "b" type: "Data" top: "label" data_param {{ source: "{}" batch_size: 4 }} }}"""


def test_a_plan_pairs_by_place_and_tells(gradients: Path, renamed: Path) -> None:
    images = gradients / "train_images"
    for labels, count in ((renamed, 1), (gradients / "train_labels", 0)):
        plan = plan_net(read_net(Source("net", NET.format(images, labels))), phase=TRAIN)
        told = plan_pairs(plan)
        plan.close()
        assert len(told) == count
        assert all("paired by their places, as in Caffe: '0' with 'row 00000'" in x for x in told)


def test_a_batch_larger_than_the_set_is_told(gradients: Path) -> None:
    text = NET.format(gradients / "train_images", gradients / "train_labels")
    plans = [
        plan_net(read_net(Source("net", text.replace("batch_size: 4", size))), phase=TRAIN)
        for size in ("batch_size: 30", "batch_size: 31")
    ]
    assert large_batches(plans[0]) == []
    assert large_batches(plans[1])[0] == (
        f'layer "a": a batch of 31 has some of the 30 records of {gradients}/train_images more '
        "than once"
    )
    for plan in plans:
        plan.close()


def test_swapped_databases_are_told(gradients: Path) -> None:
    with (
        Database(gradients / "train_images") as images,
        Database(gradients / "train_labels") as labels,
    ):
        refuse_swapped(images, labels)
        with pytest.raises(DataError, match="they look swapped; the images come first"):
            refuse_swapped(labels, images)
