"""Options spelt as Caffe's."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from protonet.cli.caffe_flags import chosen_device, chosen_model, chosen_stages


def test_a_model_is_named_once() -> None:
    path = Path("net.prototxt")
    assert chosen_model(path, None) == chosen_model(None, path) == path
    for network, model in ((path, path), (None, None)):
        with pytest.raises(click.UsageError, match="give one network"):
            chosen_model(network, model)


def test_a_device_is_named_once() -> None:
    assert chosen_device(None, None) == "cpu"
    assert chosen_device("1", None) == chosen_device(None, "cuda:1") == "cuda:1"
    with pytest.raises(click.UsageError, match="both name a processor"):
        chosen_device("0", "cpu")
    with pytest.raises(click.UsageError, match="-gpu 0,1: expected the number of one GPU"):
        chosen_device("0,1", None)


def test_stages_stand_in_a_list() -> None:
    assert chosen_stages("") == ()
    assert chosen_stages("deploy, quick") == ("deploy", "quick")
