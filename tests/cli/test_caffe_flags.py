"""Options spelt as Caffe's."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from protonet.cli import caffe_flags
from protonet.cli.caffe_flags import chosen_device, chosen_model, chosen_stages, training_device
from protonet.errors import DeviceError


def test_a_model_is_named_once() -> None:
    path = Path("net.prototxt")
    assert chosen_model(path, None) == chosen_model(None, path) == path
    for network, model in ((path, path), (None, None)):
        with pytest.raises(click.UsageError, match="give one network"):
            chosen_model(network, model)


def test_a_device_is_named_once() -> None:
    assert chosen_device(None, None) == "cpu"
    assert chosen_device("", None) == "cpu"
    assert chosen_device("1", None) == chosen_device(None, "cuda:1") == "cuda:1"
    with pytest.raises(click.UsageError, match="both choose a device"):
        chosen_device("0", "cpu")
    with pytest.raises(click.UsageError, match="-gpu 0,1: expected one GPU, got 2"):
        chosen_device("0,1", None)
    with pytest.raises(click.UsageError, match="-gpu 0,x: expected the number of a GPU, or all"):
        chosen_device("0,x", None)


def test_a_training_has_a_rank_for_each_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caffe_flags, "_all_gpus", lambda: ["0", "1", "2"])
    assert training_device(None, "cuda:1", 1) == ("cuda:1", 1)
    assert training_device("", None, 1) == (None, 1)
    assert training_device(None, "cuda:2,0", 1) == ("cuda:2,0", 2)
    assert training_device(None, "cuda:2,0", 4) == ("cuda:2,0", 1), "ranks are started already"
    assert training_device("7", None, 1) == ("cuda:7", 1), "one is looked for by its training"
    assert training_device("0,2", None, 1) == ("cuda:0,2", 2)
    assert training_device("all", None, 1) == ("cuda:0,1,2", 3)
    with pytest.raises(click.UsageError, match="both choose a device"):
        training_device("0,1", "cpu", 1)
    with pytest.raises(click.UsageError, match="-gpu 1,1 names a GPU twice"):
        training_device("1,1", None, 1)
    with pytest.raises(DeviceError, match=r"-gpu 0,3,4: this machine has 3 GPU\(s\), no 3, 4") as e:
        training_device("0,3,4", None, 1)
    assert e.value.__notes__ == [
        "on the CPU, --ranks 3 --batch-per-rank does the same; on one GPU, iter_size times 3"
    ]


def test_ranks_of_a_launcher_have_the_gpus_of_their_hosts() -> None:
    assert training_device("0,1", None, 4) == ("cuda:0,1", 4)
    assert training_device("all", None, 4) == ("cuda:all", 4)
    assert training_device("1", None, 4) == ("cuda:1", 4)


def test_all_gpus_where_there_is_none() -> None:
    with pytest.raises(DeviceError, match="CuPy"):
        chosen_device("all", None)


@pytest.mark.gpu
def test_all_gpus_where_there_is_one() -> None:
    assert chosen_device("all", None) == "cuda:0"


def test_stages_stand_in_a_list() -> None:
    assert chosen_stages("") == ()
    assert chosen_stages("deploy, quick") == ("deploy", "quick")
