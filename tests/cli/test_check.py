from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from protonet.data.create import create_gradients
from tests.graph.test_capacity import huge_text

TORCH = Path(__file__).parents[1] / "golden_torch7" / "trainings" / "regression" / "model.t7"
SEED = """\
layer { name: "scale" type: "Power" bottom: "data" top: "scale" power_param { scale: 0.004 } }
layer { name: "hidden" type: "InnerProduct" bottom: "scale" top: "output"
  inner_product_param { num_output: 2 } }
layer { name: "loss" type: "EuclideanLoss" bottom: "output" bottom: "label" top: "loss"
  exclude { stage: "deploy" } }
"""


@pytest.fixture
def net(tmp_path: Path) -> Path:
    path = tmp_path / "net.prototxt"
    path.write_text(SEED)
    return path


@pytest.fixture(scope="module")
def made_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "data"
    create_gradients(folder, 6, 4, 9, 3, seed=1)
    return folder


@pytest.fixture
def data(made_data: Path, tmp_path: Path) -> Path:
    shutil.copytree(made_data, tmp_path / "data")
    return Path("data")


def cells(output: str) -> list[list[str]]:
    """The table as rows of its cells, which two spaces or more part."""
    lines = output.split("\n\n")[1].splitlines()
    return [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in lines]


def test_the_table_of_the_net_on_databases(protonet: Any, net: Path, data: Path) -> None:
    found = protonet(
        "check", net, "--data", data / "train_images", "--labels", data / "train_labels"
    )
    assert found.returncode == 0
    assert "a batch of 16 has some of the 9 records of data/train_images" in found.stderr
    assert found.stdout.startswith("network (phase train, stage train)\n")
    assert cells(found.stdout) == [
        ["layer", "type", "bottoms", "tops", "parameters"],
        ["data", "Data", "data 16x1x4x6", "0"],
        ["label", "Data", "label 16x1x1x2", "0"],
        ["scale", "Power", "data 16x1x4x6", "scale 16x1x4x6", "0"],
        ["hidden", "InnerProduct", "scale 16x1x4x6", "output 16x2", "50"],
        ["loss", "EuclideanLoss", "output 16x2, label 16x1x1x2", "loss scalar", "0"],
    ]
    last = found.stdout.splitlines()[-1]
    assert last.startswith("5 layers, 50 parameters; memory: ")
    assert " KiB for training, " in last


def test_phase_test_looks_at_the_validation_net(protonet: Any, net: Path, data: Path) -> None:
    found = protonet(
        "check", net, "--data", data / "val_images", "--labels", data / "val_labels",
        "--phase", "test", "--batch-size", 3,
    )  # fmt: skip
    assert found.stdout.startswith("network (phase test, stage val)\n")
    assert ["hidden", "InnerProduct", "scale 3x1x4x6", "output 3x2", "50"] in cells(found.stdout)


def test_stage_deploy_needs_images_only(protonet: Any, net: Path, data: Path) -> None:
    found = protonet(
        "check", "-", "--data", data / "train_images", "--phase", "test", "--stage", "deploy",
        text=f'name: "seed"\n{net.read_text()}',
    )  # fmt: skip
    assert found.stdout.startswith("seed (phase test, stage deploy)\n")
    assert [row[:2] for row in cells(found.stdout)[1:]] == [
        ["data", "Input"],
        ["scale", "Power"],
        ["hidden", "InnerProduct"],
    ]


def test_shapes_can_be_given_instead_of_databases(protonet: Any, net: Path) -> None:
    found = protonet("check", net, "--input", "data=4x3x5x7", "--input", "label=4x2")
    assert found.returncode == 0
    assert found.stdout.startswith("network (phase train)\n")
    assert ["loss", "EuclideanLoss", "output 4x2, label 4x2", "loss scalar", "0"] in cells(
        found.stdout
    )


def test_a_given_shape_takes_the_place_of_a_data_layer(protonet: Any, net: Path) -> None:
    net.write_text(
        'layer { name: "d" type: "Data" top: "data" top: "label" data_param { batch_size: 4 } }\n'
        + SEED
    )
    found = protonet("check", net, "--input", "data=4x3x5x7", "--input", "label=4x2")
    assert found.returncode == 0
    assert [row[1] for row in cells(found.stdout)[1:3]] == ["Input", "Input"]


def test_without_shapes_it_says_how_to_give_them(protonet: Any, net: Path) -> None:
    found = protonet("check", "net.prototxt")
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr == (
        "error: net.prototxt: no layer produces 'data' and 'label', so the shapes are unknown; "
        "give\n    databases: --data DB [--labels DB]\n    or shapes: --input data=16x1x50x50\n"
    )


def test_every_mistake_is_shown_with_its_place_and_a_caret(
    protonet: Any, net: Path, data: Path
) -> None:
    net.write_text(SEED.replace('"Power"', '"Powr"').replace('bottom: "scale"', 'bottom: "scal"'))
    found = protonet("check", "net.prototxt", "--data", data / "train_images")
    assert (found.returncode, found.stdout) == (3, "")
    lines = found.stderr.splitlines()
    assert lines[-1] == "2 mistakes"
    for place, text, word in (
        ("net.prototxt:1:29", "unknown layer type 'Powr'; did you mean 'Power'?", '"Powr"'),
        ("net.prototxt:2:53", "unknown bottom blob 'scal'; did you mean 'scale'?", '"scal"'),
    ):
        at = next(i for i, line in enumerate(lines) if line.startswith(f"error: {place}: "))
        assert lines[at].endswith(text)
        assert lines[at + 1][lines[at + 2].index("^") :].startswith(word)


@pytest.mark.parametrize("given", [[], ["--input", "data=4x3x5x7", "--input", "label=4x2"]])
def test_fields_and_types_are_told_in_one_run(protonet: Any, net: Path, given: list[str]) -> None:
    net.write_text(SEED.replace('"Power"', '"Powr"').replace("num_output", "num_outputs"))
    found = protonet("check", "net.prototxt", *given)
    assert (found.returncode, found.stdout) == (3, "")
    lines = found.stderr.splitlines()
    heads = [line.split(" ")[1] for line in lines if line.startswith("error: ")]
    assert heads == ["net.prototxt:1:29:", "net.prototxt:3:25:"]
    assert [lines[at - 1][line.index("^") :].split()[0] for at, line in enumerate(lines)
            if line.strip() == "^"] == ['"Powr"', "num_outputs:"]  # fmt: skip
    assert lines[-1] == "2 mistakes"


def test_mistakes_come_with_the_advice_on_shapes(protonet: Any, net: Path) -> None:
    net.write_text(SEED.replace('"Power"', '"Powr"'))
    found = protonet("check", "net.prototxt")
    assert found.returncode == 3
    assert "did you mean 'Power'?" in found.stderr
    assert "or shapes: --input data=16x1x50x50" in found.stderr


def test_a_misspelt_field_and_no_traceback(protonet: Any, net: Path) -> None:
    net.write_text(SEED.replace("num_output", "num_outputs"))
    found = protonet("check", "net.prototxt", "--input", "data=4x3x5x7")
    assert found.returncode == 3
    assert "error: net.prototxt:3:25: no field 'num_outputs'" in found.stderr
    assert "did you mean 'num_output'?" in found.stderr
    assert "Traceback" not in found.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("absent.prototxt",), 2, "error: absent.prototxt: cannot be read"),
        (("net.prototxt", "--data", "absent"), 4, "error: absent: there is no such database"),
        (("net.prototxt", "--data", "net.prototxt"), 4, "but a database is a folder"),
        (("net.prototxt", "--labels", "l"), 2, "error: --labels needs --data"),
        (("net.prototxt", "--data", "d", "--input", "data=2"), 2, "both give shapes"),
        (
            ("net.prototxt", "--input", "dat=2x3"),
            2,
            "error: --input dat: no layer has this bottom; did you mean 'data'?",
        ),
        (("net.prototxt", "--input", "data=2x"), 2, "'--input': expected NAME=SHAPE"),
        (("net.prototxt", "--phase", "trian"), 2, "'--phase'"),
    ],
)
def test_what_cannot_be_checked_is_refused(
    protonet: Any, net: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    found = protonet("check", *arguments)
    assert (found.returncode, found.stdout) == (code, "")
    assert message in found.stderr
    assert "Traceback" not in found.stderr


def test_a_table_on_a_narrow_terminal_folds_its_blobs(terminal: Any, net: Path) -> None:
    shown = terminal("check", net, "--input", "data=4x3x5x7", "--input", "label=4x2", COLUMNS="60")
    assert shown.returncode == 0
    assert "\x1b[1m" in shown.stdout
    plain = re.sub(r"\x1b\[[\d;]*m", "", shown.stdout)
    table = plain.replace("\r", "").split("\n\n")[1].splitlines()
    assert max(len(line) for line in table) <= 60
    assert any(line.split()[:2] == ["hidden", "InnerProduct"] for line in table)


def test_what_this_machine_cannot_hold_is_told(protonet: Any, tmp_path: Path) -> None:
    path = tmp_path / "net.prototxt"
    path.write_text(huge_text())
    found = protonet("check", path)
    assert found.returncode == 6
    assert "the net needs more than the " in found.stderr
    assert " for blobs, " in found.stderr
    assert 'layer "ip0" (InnerProduct) alone 9.5 GiB; --memory-limit SIZE is for' in found.stderr
    assert cells(found.stdout)[2] == [
        "ip0", "InnerProduct", "x 16x2", "y0 16x134217727", "402,653,181",
    ]  # fmt: skip
    found = protonet("check", path, "--memory-limit", "8000GiB")
    assert (found.returncode, found.stderr) == (0, "")
    found = protonet("time", path)
    assert found.returncode == 6
    assert f'{path}:2:1: layer "ip0" (InnerProduct) needs 8.0 GiB for its tops' in found.stderr


def test_fields_that_nothing_reads_are_told_once(protonet: Any) -> None:
    text = """layer { name: "d" type: "Input" top: "d" input_param { shape { dim: 1 dim: 2 } } }
layer { name: "a" type: "ReLU" bottom: "d" top: "a" forward_type: FLOAT16 }
layer { name: "b" type: "ReLU" bottom: "a" top: "b" forward_type: FLOAT16 }"""
    found = protonet("check", "-", text=text)
    assert found.returncode == 0
    assert found.stderr.count("layer.forward_type has no effect here") == 1


def test_a_net_without_a_loss_is_refused_with_data_and_warned_of_without(
    protonet: Any, tmp_path: Path
) -> None:
    (tmp_path / "net.prototxt").write_text(
        'layer { name: "d" type: "DummyData" top: "data" dummy_data_param { shape { dim: 2 } } }'
    )
    found = protonet("check", tmp_path / "net.prototxt")
    assert found.returncode == 0
    assert "no loss layer" in found.stderr
    protonet("create-db", "gradients", tmp_path / "db", "-x", 4, "-y", 4, "-c", 4)
    (tmp_path / "net.prototxt").write_text(
        'layer { name: "p" type: "Power" bottom: "data" top: "y" }'
    )
    found = protonet("check", tmp_path / "net.prototxt", "--data", tmp_path / "db" / "train_images")
    assert found.returncode == 3
    assert "nothing to learn" in found.stderr


def test_a_model_of_torch7(protonet: Any, tmp_path: Path) -> None:
    found = protonet("check", TORCH)
    assert found.returncode == 0, found.stderr
    assert found.stderr == f"{TORCH}: takes 1x50x50, as far as it tells\n"
    rows = [line.split() for line in found.stdout.splitlines() if "Linear1" in line]
    assert rows[0][:2] == ["Linear1", "InnerProduct"]
    assert rows[0][-1] == "5,002"
    found = protonet("check", TORCH, "--input", "data=8x1x40x50")
    assert found.returncode == 3
    at = TORCH.read_bytes().index(b"nn.Linear") - 19
    assert f"{TORCH}: modules/3 (byte {at}): nn.Linear: expected vectors of 2500" in found.stderr
    (tmp_path / "cut.t7").write_bytes(TORCH.read_bytes()[:-5000])
    found = protonet("check", "cut.t7")
    assert found.returncode == 5
    assert found.stderr == (
        "error: cut.t7: byte 21180: modules/3/gradWeight: "
        "expected 20,008 bytes, but 15,550 bytes are left\n"
    )
