"""Data layers over shards: errors, and trainings of real ranks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from protonet.data.database import Database
from protonet.data.writer import DatabaseWriter
from protonet.errors import LayerError
from protonet.jobs.run.directory import RunDirectory
from protonet.layers.base import LayerContext
from protonet.layers.sharding import own_source
from protonet.proto.caffe_pb2 import DataParameter
from protonet.ranks.communicator import alone_on
from protonet.train.listeners import read_metrics
from tests.ranks.agreement import DIGITS, digits, weights_of
from tests.ranks.started import protonet

NET = """
layer { name: "data" type: "Data" top: "data" top: "label" include { phase: TRAIN }
  data_param { source: "train" batch_size: 15 } transform_param { crop_size: 6 mirror: true } }
layer { name: "data" type: "Data" top: "data" top: "label" include { phase: TEST }
  data_param { source: "test" batch_size: 10 } transform_param { crop_size: 6 } }
layer { name: "drop" type: "Dropout" bottom: "data" top: "drop" }
layer { name: "score" type: "InnerProduct" bottom: "drop" top: "score"
  inner_product_param { num_output: 10 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" top: "loss" }
"""
SOLVER = """
net: "net.prototxt" base_lr: 0.01 lr_policy: "fixed" max_iter: 12 display: 1 test_iter: 4
test_interval: 4 snapshot: 7 snapshot_prefix: "net" random_seed: 7
"""


def copied(source: Path, path: Path, rows: list[int]) -> None:
    with Database(source) as database, DatabaseWriter(path) as writer:
        keys = database.keys()
        for place, row in enumerate(rows):
            writer.put(f"{place:05}".encode(), database.get(keys[row]))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """60 images, from which two ranks take 7 and 8 in turn, whole and in shards; and 40 for tests,
    of which each rank takes a half.
    """
    made = digits(tmp_path, NET, plain=SOLVER, sharded=SOLVER)
    for name in ("plain", "sharded"):
        (made / name).mkdir()
        net = NET if name == "plain" else NET.replace('"train"', '"train_{rank}"')
        net = net if name == "plain" else net.replace('"test"', '"test_{rank}"')
        (made / name / "net.prototxt").write_text(net)
        solver = made / f"{name}.prototxt"
        solver.rename(made / name / solver.name)
    train, test = DIGITS / "train_db", DIGITS / "test_db"
    copied(train, made / "plain" / "train", list(range(60)))
    copied(test, made / "plain" / "test", list(range(40)))
    taken: tuple[list[int], list[int]] = ([], [])
    for row in range(60):
        taken[row % 15 >= 7].append(row)
    for rank in range(2):
        copied(train, made / "sharded" / f"train_{rank}", taken[rank])
        tested = list(range(20 * rank, 20 * rank + 20))
        copied(test, made / "sharded" / f"test_{rank}", tested)
    return made


def events(run: Path) -> list[object]:
    kinds = ("tested", "iterated")
    lines = [line for line in read_metrics(run / "metrics.jsonl") if line["event"] in kinds]
    return [(line["event"], line["iteration"], line["loss"], line["outputs"]) for line in lines]


def test_shards_of_what_ranks_take_train_as_the_whole(folder: Path) -> None:
    """Crops, mirrors and Dropout are those of the place in the run; a resume gives the same
    bits, and tells of a shard that has changed.
    """
    for name in ("plain", "sharded"):
        place = folder / name
        done = protonet(
            "train", "--solver", f"{name}.prototxt", "--out", "run", "--ranks", 2, folder=place
        )
        assert done.returncode == 0, done.stderr
    assert (
        'layer "data": 2 shard(s) with 60 records together, which is an epoch; each rank reads '
        "its own round and round"
    ) in done.stdout + done.stderr
    found = folder / "sharded"
    assert events(found / "run") == events(folder / "plain" / "run")
    weights = found / "sharded_iter_12.caffemodel"
    expected = weights.read_bytes()
    plain = folder / "plain" / "plain_iter_12.caffemodel"
    np.testing.assert_array_equal(weights_of(weights), weights_of(plain))
    shards = RunDirectory(found / "run").record().shards
    assert [Path(each.path.partition(" on ")[0]).name for each in shards] == [
        "train_0", "test_0", "train_1", "test_1",
    ]  # fmt: skip
    for each in ("caffemodel", "solverstate", "resume.json"):
        (found / f"sharded_iter_12.{each}").unlink(missing_ok=True)
    copied(folder / "plain" / "test", found / "other", list(range(20)))
    (found / "test_1").rename(found / "moved")
    (found / "other").rename(found / "test_1")
    done = protonet("train", "--resume", found / "run", "--ranks", 2, folder=folder)
    assert done.returncode == 0, done.stderr
    assert weights.read_bytes() == expected
    told = [line for line in (done.stdout + done.stderr).splitlines() if "has changed" in line]
    assert len(told) == 1
    assert f"{found / 'test_1'} on " in told[0]


def test_tests_of_shards_are_shared_out_evenly(folder: Path) -> None:
    solver = folder / "sharded" / "sharded.prototxt"
    solver.write_text(solver.read_text().replace("test_iter: 4", "test_iter: 5"))
    done = protonet("train", "--solver", solver, "--ranks", 2, folder=folder / "sharded")
    assert done.returncode == 3
    assert "the 5 batches of a test (test_iter) must be a multiple of the 2 ranks" in done.stderr


def test_one_rank_is_told_how_to_start_several(folder: Path) -> None:
    done = protonet("train", "--solver", "sharded.prototxt", folder=folder / "sharded")
    assert done.returncode == 3
    assert "names a shard for each rank, and there is one rank" in done.stderr
    assert "protonet train --ranks N and mpiexec start several" in done.stderr


def test_the_source_of_a_rank(tmp_path: Path) -> None:
    context = LayerContext(tmp_path, shards=alone_on("here"))
    assert own_source(DataParameter(source="db"), context) == Path("db")
    named = DataParameter(source="{host}_{rank}")
    (tmp_path / "here_0").mkdir()
    assert own_source(named, context) == tmp_path / "here_0"
    named.partial_batches = True
    with pytest.raises(LayerError, match="batches of shards cannot end with the epoch"):
        own_source(named, context)


PASTED = """
layer { name: "score" type: "InnerProduct" bottom: "data" top: "score"
  inner_product_param { num_output: 10 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" top: "loss" }
"""


def pasted(folder: Path, name: str, *options: object) -> Any:
    (folder / name / "pasted.prototxt").write_text(PASTED)
    return protonet(
        "train", "pasted.prototxt", "--batch-size", 15, "--epochs", 2, "--out", "pasted",
        *options, folder=folder / name,
    )  # fmt: skip


def test_a_pasted_network_on_shards_trains_as_on_the_whole(folder: Path) -> None:
    plain = ("--data", "train", "--val-data", "test", "--mean", "none")
    sharded = [each if each not in ("train", "test") else each + "_{rank}" for each in plain]
    for name, options in (("plain", plain), ("sharded", sharded)):
        done = pasted(folder, name, *options, "--ranks", 2)
        assert done.returncode == 0, done.stderr
    found = folder / "sharded" / "pasted"
    net = (found / "train_val.prototxt").read_text()
    assert f'source: "{folder}/sharded/train_{{rank}}"' in net
    assert "max_iter: 8" in (found / "solver.prototxt").read_text()
    assert "test_iter: 4" in (found / "solver.prototxt").read_text()
    assert len(RunDirectory(found).record().shards) == 4
    ours, whole = (
        weights_of(folder / name / "pasted" / "snapshot_iter_8.caffemodel")
        for name in ("sharded", "plain")
    )
    np.testing.assert_array_equal(ours, whole)


def test_the_mean_of_shards_is_to_be_given(folder: Path) -> None:
    done = pasted(folder, "sharded", "--data", "train_{rank}", "--ranks", 2)
    assert done.returncode == 2
    assert "the mean image of shards is not computed: --mean FILE has it" in done.stderr
    assert not (folder / "sharded" / "pasted").exists()
    done = pasted(folder, "sharded", "--data", "train_{rank}", "--mean", "none")
    assert done.returncode == 2
    assert "--data train_{rank} names a shard for each rank, and there is one rank" in done.stderr
