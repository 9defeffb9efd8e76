"""What a new run writes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from protonet.data.transform import load_mean
from protonet.jobs.reading.network import read_definition, shapes_of
from protonet.jobs.run.directory import RunDirectory
from protonet.jobs.training.new_run import run_name, write_run
from protonet.jobs.training.reopen import reopen
from protonet.proto.text import Source, read_net
from tests.jobs.nets import SEED, net_of, settings_of

EXAMPLES = Path(__file__).parents[3] / "examples" / "torch7"


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
    text = f'name: "{net}" layer {{ name: "s" type: "Silence" bottom: "x" }}'
    assert run_name(net_of(text, file)) == expected


def test_the_texts_can_be_read_again(gradients: Path, tmp_path: Path) -> None:
    settings = settings_of(gradients, tmp_path, epochs=3.0, mean="none")
    run = RunDirectory.create(tmp_path / "run", "x")
    files, notes = write_run(run, net_of(SEED), settings)
    assert notes == []
    again = reopen(run).files
    assert again.solver == files.solver
    assert again.train.net == files.train.net
    assert again.tests[0][1] == {"level": 0, "stages": ["val"]}
    deploy = read_net(Source.read(run.deploy)).net
    assert [layer.type for layer in deploy.layer] == ["Input", "Power", "InnerProduct"]
    assert not run.mean.exists()
    assert run.record().image_shape == (1, 17, 20)


def test_a_mean_that_is_given_is_copied(gradients: Path, tmp_path: Path) -> None:
    given = gradients / "val_mean.binaryproto"
    run = RunDirectory.create(tmp_path / "run", "x")
    write_run(run, net_of(SEED), settings_of(gradients, tmp_path, mean=str(given)))
    assert run.mean.read_bytes() == given.read_bytes()
    assert f'mean_file: "{run.mean.name}"' in str(run.record().transform)


def test_a_mean_that_numpy_wrote_becomes_caffes(gradients: Path, tmp_path: Path) -> None:
    mean = load_mean(gradients / "val_mean.binaryproto")
    np.save(tmp_path / "mean.npy", mean)
    run = RunDirectory.create(tmp_path / "run", "x")
    settings = settings_of(gradients, tmp_path, mean=str(tmp_path / "mean.npy"))
    write_run(run, net_of(SEED), settings)
    np.testing.assert_array_equal(load_mean(run.mean), mean)


def test_a_mean_of_the_network_is_kept(gradients: Path, tmp_path: Path) -> None:
    text = f"""layer {{ name: "data" type: "Data" top: "data"
      transform_param {{ mean_file: "{gradients / "val_mean.binaryproto"}" }} }}"""
    run = RunDirectory.create(tmp_path / "run", "x")
    write_run(run, net_of(text + SEED), settings_of(gradients, tmp_path))
    assert run.mean.read_bytes() == (gradients / "val_mean.binaryproto").read_bytes()
    values = text.replace(text[text.index("mean_file") : text.index(" }")], "mean_value: 7")
    run = RunDirectory.create(tmp_path / "other", "x")
    write_run(run, net_of(values + SEED), settings_of(gradients, tmp_path))
    assert not run.mean.exists()
    assert "mean_value: 7" in str(run.record().transform)


def test_run_json_knows_the_inputs(gradients: Path, tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path / "run", "x")
    write_run(run, net_of(SEED), settings_of(gradients, tmp_path))
    record = run.record()
    assert record.status == "init"
    assert [Path(each.path).name for each in record.databases] == [
        "mean.binaryproto",
        "train_images",
        "train_labels",
        "val_images",
        "val_labels",
    ]
    (text,) = record.texts
    assert (text.path, text.bytes) == ("net.prototxt", len(SEED))


@pytest.mark.parametrize(("batch", "partial"), [(10, False), (8, True), (100, True)])
def test_a_definition_of_torch7_has_partial_batches_where_they_count(
    gradients: Path, tmp_path: Path, batch: int, partial: bool
) -> None:
    """What Caffe does not know is not written where all batches are full."""
    settings = settings_of(gradients, tmp_path, mean="none", batch_size=batch)
    text = (EXAMPLES / "gradients" / "net.lua").read_text()
    pasted = read_definition(Source("net.lua", text), shapes_of(settings))
    run = RunDirectory.create(tmp_path / "run", "x")
    files, _ = write_run(run, pasted, settings)
    layers = [layer for layer in files.train.net.layer if layer.type == "Data"]
    assert [layer.data_param.partial_batches for layer in layers] == [partial] * len(layers)
    assert ("partial_batches" in run.train_val.read_text()) == partial
