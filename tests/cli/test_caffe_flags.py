"""Options spelt as Caffe's."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from protonet.cli.caffe_flags import chosen_device, chosen_model, chosen_stages
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


def test_all_gpus_where_there_is_none() -> None:
    with pytest.raises(DeviceError, match="CuPy"):
        chosen_device("all", None)


@pytest.mark.gpu
def test_all_gpus_where_there_is_one() -> None:
    assert chosen_device("all", None) == "cuda:0"


def test_stages_stand_in_a_list() -> None:
    assert chosen_stages("") == ()
    assert chosen_stages("deploy, quick") == ("deploy", "quick")
