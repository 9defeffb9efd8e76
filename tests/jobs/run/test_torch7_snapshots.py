"""Snapshots of a Lua text as .t7 files, which other trainings begin with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from protonet.data.create import create_gradients
from protonet.errors import FormatError, UsageError
from protonet.formats.caffemodel import read_weights, write_weights
from protonet.jobs.reading.network import read_definition, shapes_of
from protonet.jobs.run.settings import RunSettings
from protonet.jobs.training.join import Outcome
from protonet.jobs.training.resume import ResumeOptions, resume
from protonet.jobs.training.start import start
from protonet.proto.source import Source
from protonet.torch7 import serial
from protonet.torch7.models import tree
from protonet.torch7.objects import Tensor
from tests.torch7.test_trained import structure

ROOT = Path(__file__).parents[2]
NET = """
return function(p)
    local net = nn.Sequential():add(nn.SpatialConvolution(1, 2, 3, 3)):add(nn.ReLU())
    net:add(nn.SpatialMaxPooling(2, 2)):add(nn.View(-1):setNumInputDims(3))
    return { model = net:add(nn.Linear(4, 2)), loss = nn.MSECriterion() }
end
"""
HOOKED = NET.replace(
    "loss =",
    """fineTuneHook = function(net)
        net:remove(5)
        net:add(nn.Linear(4, 3)):add(nn.Linear(3, 2))
        return net
    end, loss =""",
)


@pytest.fixture
def settings(tmp_path: Path) -> RunSettings:
    data = tmp_path / "data"
    create_gradients(data, 6, 4, 20, 4, seed=1)
    return RunSettings(
        data / "train_images", data / "train_labels", mean="none", epochs=2, batch_size=5,
        lr_policy="fixed", out=tmp_path / "run", torch7_snapshots=True, seed=42,
    )  # fmt: skip


def train(settings: RunSettings, text: str = NET, **changes: Any) -> Outcome:
    settings = replace(settings, **changes)
    return start(read_definition(Source("net.lua", text), shapes_of(settings)), settings)


def names(run: Path) -> list[str]:
    return sorted(path.name for path in run.glob("snapshot_*.t7"))


def test_each_snapshot_is_a_model_of_torch_and_a_vector(settings: RunSettings) -> None:
    run = train(settings).run.path
    assert names(run) == [
        "snapshot_1_Model.t7",
        "snapshot_1_Weights.t7",
        "snapshot_2_Model.t7",
        "snapshot_2_Weights.t7",
    ]
    model = serial.read(run / "snapshot_2_Model.t7")
    weights = read_weights(run / "snapshot_iter_8.caffemodel")
    conv, pool, linear = (model.fields["modules"][place].fields for place in (1, 3, 5))
    np.testing.assert_array_equal(conv["weight"].array, weights["SpatialConvolution1"][0])
    np.testing.assert_array_equal(linear["bias"].array, weights["Linear1"][1])
    assert (pool["iheight"], pool["iwidth"]) == (2, 4)
    assert all(each.fields["train"] is False for each in tree(model))
    assert linear["weight"].storage is conv["weight"].storage
    flat = serial.read(run / "snapshot_2_Weights.t7")
    expected = [conv["weight"], conv["bias"], linear["weight"], linear["bias"]]
    assert flat.array.tolist() == [v for each in expected for v in each.array.reshape(-1).tolist()]
    before = serial.read(run / "model.t7").fields["modules"][5].fields["bias"]
    assert not np.array_equal(before.array, linear["bias"].array)


def test_the_structure_is_that_of_torchs_own_file(settings: RunSettings) -> None:
    golden = ROOT / "golden_torch7" / "trainings" / "digits"
    text, data = (golden / "net.lua").read_text(), ROOT / "golden" / "digits" / "train_db"
    changes: dict[str, Any] = {"data": data, "labels": None, "epochs": 1, "batch_size": 32}
    run = train(settings, text, **changes).run.path
    model = serial.read(run / "snapshot_1_Model.t7")
    assert structure(model) == structure(serial.read(golden / "model.t7"))
    flat = serial.read(run / "snapshot_1_Weights.t7")
    assert structure(flat) == structure(serial.read(golden / "weights.t7"))


def test_files_of_removed_snapshots_are_removed(settings: RunSettings) -> None:
    run = train(settings, epochs=1.5, snapshot_every=0.5, keep=1).run.path
    assert names(run) == ["snapshot_1.5_Model.t7", "snapshot_1.5_Weights.t7"]


@pytest.mark.parametrize("name", ["snapshot_2_Model.t7", "snapshot_2_Weights.t7"])
def test_a_training_begins_with_a_file_of_another(settings: RunSettings, name: str) -> None:
    first = train(settings).run.path
    given = str(first / name)
    other = settings.out.with_name("other") if settings.out else None
    outcome = train(settings, weights=given, out=other, lr=1e-12, weight_decay=0.0)
    told = "layers loaded from" if "Model" in name else "the initial weights are those of"
    assert any(note.startswith(f"{told} {given}") for note in outcome.notes)
    one, two = (
        read_weights(path / "snapshot_iter_8.caffemodel") for path in (first, outcome.run.path)
    )
    for layer in ("SpatialConvolution1", "Linear1"):
        np.testing.assert_allclose(one[layer][0], two[layer][0], rtol=1e-6)


@pytest.mark.parametrize("kind", ["t7", "caffemodel"])
def test_a_hook_changes_the_model_of_the_file(settings: RunSettings, kind: str) -> None:
    first = train(settings).run.path
    given = first / ("snapshot_2_Model.t7" if kind == "t7" else "snapshot_iter_8.caffemodel")
    other = settings.out.with_name("other") if settings.out else None
    run = train(settings, HOOKED, weights=str(given), out=other, lr=1e-12, weight_decay=0.0).run
    found = read_weights(run.path / "snapshot_iter_8.caffemodel")
    assert [found[name][0].shape for name in ("Linear1", "Linear2")] == [(3, 4), (2, 3)]
    kept = read_weights(first / "snapshot_iter_8.caffemodel")["SpatialConvolution1"]
    np.testing.assert_allclose(found["SpatialConvolution1"][0], kept[0], rtol=1e-6)
    assert len(list(tree(serial.read(run.path / "snapshot_2_Model.t7")))) == 7


def test_what_does_not_fit_is_told_before_the_training(
    settings: RunSettings, tmp_path: Path
) -> None:
    serial.save(tmp_path / "w.t7", Tensor.of(np.zeros(7)))
    with pytest.raises(FormatError, match=r"w\.t7: has 7 weights, but the parameters .* are 30"):
        train(settings, weights=str(tmp_path / "w.t7"))
    prototxt = 'layer { name: "a" type: "InnerProduct" bottom: "data" top: "a"\n' \
        '  inner_product_param { num_output: 2 } }\n' \
        'layer { name: "b" type: "EuclideanLoss" bottom: "a" bottom: "label" }'  # fmt: skip
    with pytest.raises(UsageError, match=r"net\.lua: is no Lua text; --torch7-snapshots .* writes"):
        train(settings, prototxt)
    with pytest.raises(FormatError, match=r"w\.t7: is a vector of 7 weights, without the net"):
        train(settings, prototxt, weights=str(tmp_path / "w.t7"), torch7_snapshots=False)
    write_weights(tmp_path / "w.npz", {"a": [np.zeros((2, 24)), np.zeros(2)]})
    assert settings.out is not None
    assert not settings.out.exists()


def test_a_resumed_training_writes_them_too(settings: RunSettings) -> None:
    run = train(settings, epochs=1).run
    resume(run.path, ResumeOptions(epochs=3))
    assert names(run.path)[::2] == [f"snapshot_{epoch}_Model.t7" for epoch in (1, 2, 3)]
    model = serial.read(run.path / "snapshot_3_Model.t7").fields["modules"][5].fields
    weights = read_weights(run.path / "snapshot_iter_12.caffemodel")
    np.testing.assert_array_equal(model["weight"].array, weights["Linear1"][0])
