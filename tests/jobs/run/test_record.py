"""run.json: it goes round, older forms are read, and what is damaged is told."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from protonet.errors import FormatError, UsageError
from protonet.jobs.run.fingerprint import Fingerprint
from protonet.jobs.run.record import VERSION, Prolonged, RunRecord, read_record, write_record
from protonet.jobs.run.settings import RunSettings, SolverSettings

OLD = Path(__file__).parent / "version_1"


def test_a_record_goes_round(tmp_path: Path) -> None:
    record = RunRecord(
        settings=RunSettings(tmp_path / "d", steps=(20.0, 50.0), keep=3, weights=""),
        prefix="snapshot",
        name="x",
        beyond={"rampup_interval": 3},
        texts=(Fingerprint("net", 2, "ab"),),
        image_shape=(3, 5, 7),
        transform="scale: 2",
        prolonged=(Prolonged(4, 4, 6),),
        loss=0.5,
    )
    path = tmp_path / "run.json"
    write_record(record, path)
    found = read_record(path)
    assert found.changed >= record.changed
    assert replace(found, changed=record.changed) == record
    assert found.kind == "network"
    assert json.loads(path.read_text())["version"] == VERSION


def test_a_solvers_record_goes_round(tmp_path: Path) -> None:
    settings = SolverSettings(seed=7, device="cuda:1", stages=("a", "b"), average=0.9)
    write_record(RunRecord(settings=settings, prefix="/s", hdf5=True), tmp_path / "run.json")
    found = read_record(tmp_path / "run.json")
    assert (found.kind, found.settings, found.hdf5) == ("solver", settings, True)


def test_a_networks_run_of_the_first_form_is_read() -> None:
    record = read_record(OLD / "network.json")
    assert isinstance(record.settings, RunSettings)
    assert (record.settings.data, record.settings.epochs) == (Path("/runs/d/train_images"), 2.0)
    assert (record.settings.keep, record.settings.warmup) == (2, 3)
    assert (record.prefix, record.image_shape) == ("snapshot", (1, 50, 50))
    assert record.transform == 'mean_file: "mean.binaryproto"\n'
    assert [entry.bytes for entry in record.databases] == [28672, 12288, 12288, 12288]
    assert (record.status, record.iteration) == ("done", 6)
    assert record.loss == pytest.approx(0.00349926, abs=1e-8)
    assert record.created == 1795856059.6376107
    assert record.versions["protonet"] == "0.1.0"


def test_a_solvers_run_of_the_first_form_is_read() -> None:
    record = read_record(OLD / "solver.json")
    assert record.settings == SolverSettings(seed=5, device="cpu", average=0.9, early_stop=5)
    assert (record.prefix, record.prefix_given) == ("/runs/s", "s")


def test_in_the_first_form_a_resumed_run_was_told_beside_its_settings(tmp_path: Path) -> None:
    values = json.loads((OLD / "network.json").read_text())
    values.update(memory_limit=1000, precision="float16")
    (tmp_path / "run.json").write_text(json.dumps(values))
    settings = read_record(tmp_path / "run.json").settings
    assert (settings.memory_limit, settings.precision) == (1000, "float16")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "damaged"),
        ("[]", "not a run.json"),
        ("{}", "not a run"),
        ("[" * 100_000, "damaged"),
        ('{"kind": ["network"]}', "damaged: expected kind as one of network, solver, got"),
        ('{"kind": "pasted"}', 'damaged: expected kind as one of network, solver, got "pasted"'),
        ('{"kind": "network", "settings": "x"}', "damaged: expected settings as dict, got"),
        ('{"kind": "network"}', "settings: damaged: data is missing"),
        ('{"kind": "network", "settings": {"data": 3}}', "damaged: expected data as Path, got 3"),
        (
            '{"kind": "network", "settings": {"data": "d"}, "prefix": 3}',
            "damaged: expected prefix as str, got 3",
        ),
        ('{"kind": "solver"}', "damaged: prefix is missing"),
        (
            '{"kind": "solver", "prefix": "s", "image_shape": [1, 2]}',
            r"damaged: expected image_shape as tuple, got \[1, 2\]",
        ),
        ('{"kind": "solver", "prefix": "s", "average": "x"}', "expected average as float, got"),
        ('{"kind": "solver", "prefix": "s", "hdf5": 1}', "damaged: expected hdf5 as bool, got 1"),
        (
            '{"kind": "solver", "prefix": "s", "databases": [{"path": "a", "sha256": "b"}]}',
            "databases: damaged: bytes is missing",
        ),
    ],
)
def test_what_is_damaged_is_told(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "run.json"
    path.write_text(text)
    with pytest.raises(FormatError, match=rf"run\.json: .*{message}|run\.json: {message}"):
        read_record(path)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"version": VERSION + 1}, f"has version {VERSION + 1}, .* up to {VERSION}"),
        ({"version": "x"}, 'has version "x"'),
        ({"version": VERSION, "colour": 1}, "unknown to this version of protonet: colour"),
        (
            {"settings": {"colour": 1}},
            "settings: has values unknown .*: colour",
        ),
    ],
)
def test_what_a_newer_one_wrote_is_refused(
    tmp_path: Path, values: dict[str, Any], message: str
) -> None:
    path = tmp_path / "run.json"
    path.write_text(json.dumps({"kind": "solver", "prefix": "s", **values}))
    with pytest.raises(UsageError, match=message):
        read_record(path)


def test_every_setting_is_kept(tmp_path: Path) -> None:
    """A field that is added to the settings is in run.json without a further word."""
    for settings in (RunSettings(tmp_path), SolverSettings()):
        write_record(RunRecord(settings=settings, prefix="s"), tmp_path / "run.json")
        written = json.loads((tmp_path / "run.json").read_text())["settings"]
        assert written.keys() == {each.name for each in fields(settings)}
