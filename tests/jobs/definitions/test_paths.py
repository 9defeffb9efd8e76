"""Absolute paths inside nets."""

from __future__ import annotations

from pathlib import Path

import pytest

from protonet.jobs.definitions.paths import databases_of, inputs_of, with_absolute_paths
from tests.jobs.nets import net_of

TEXT = """
layer { name: "a" type: "Data" top: "a" data_param { source: "db" batch_size: 3 }
  transform_param { mean_file: "m" } }
layer { name: "b" type: "HDF5Data" top: "b" hdf5_data_param { source: "absent" } }
layer { name: "c" type: "InfogainLoss" bottom: "a" bottom: "b" infogain_loss_param { source: "h" } }
"""


def test_names_are_looked_up_here_then_beside_the_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, beside = tmp_path / "here", tmp_path / "beside"
    for path in (here / "db", beside / "db", beside / "m", beside / "h"):
        path.mkdir(parents=True)
    monkeypatch.chdir(here)
    pasted = net_of(TEXT)
    found = with_absolute_paths(pasted, beside)
    data, hdf5, loss = found.net.layer
    assert data.data_param.source == str(here / "db")
    assert data.transform_param.mean_file == str(beside / "m")
    assert hdf5.hdf5_data_param.source == "absent"
    assert loss.infogain_loss_param.source == str(beside / "h")
    assert pasted.net.layer[0].data_param.source == "db"
    assert found.origins == pasted.origins
    assert not loss.HasField("data_param")
    assert databases_of([found.net]) == [str(here / "db")]
    assert inputs_of([found.net]) == [
        str(beside / "m"), str(here / "db"), "absent", str(beside / "h")
    ]  # fmt: skip
