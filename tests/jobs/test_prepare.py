"""What a new run writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from protonet.jobs.prepare import check_databases, files_of, run_name, write_run
from protonet.jobs.run import RunDirectory
from protonet.proto.text import Source, read_net
from tests.jobs.nets import SEED, net_of, settings_of


@pytest.mark.parametrize(
    ("file", "net", "expected"),
    [
        ("nets/lenet.prototxt", "x", "lenet"),
        ("net.prototxt", "seed", "seed"),
        ("<stdin>", "my net!", "my-net"),
        ("<stdin>", "", "stdin"),
        ("train_val.prototxt", "", "train_val"),
    ],
)
def test_names_of_runs(file: str, net: str, expected: str) -> None:
    assert run_name(net_of(f'name: "{net}"', file)) == expected


def test_the_texts_can_be_read_again(gradients: Path, tmp_path: Path) -> None:
    settings = settings_of(gradients, tmp_path, epochs=3.0, mean="none")
    check_databases(settings)
    run = RunDirectory.create(tmp_path / "run", "x")
    files, notes = write_run(run, net_of(SEED), settings)
    assert notes == []
    again = files_of(run)
    assert again.solver == files.solver
    assert again.train.net == files.train.net
    assert again.tests[0][1] == {"level": 0, "stages": ["val"]}
    deploy = read_net(Source.read(run.deploy)).net
    assert [layer.type for layer in deploy.layer] == ["Input", "Power", "InnerProduct"]
    assert not run.mean.exists()
    assert run.read()["image_shape"] == [1, 17, 20]


def test_a_mean_that_is_given_is_copied(gradients: Path, tmp_path: Path) -> None:
    given = gradients / "val_mean.binaryproto"
    run = RunDirectory.create(tmp_path / "run", "x")
    write_run(run, net_of(SEED), settings_of(gradients, tmp_path, mean=str(given)))
    assert run.mean.read_bytes() == given.read_bytes()
    assert f'mean_file: "{run.mean.name}"' in run.read()["transform"]
