"""classify, run as a user runs it: the digits that Caffe's net was tested on."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import protonet.pycaffe as caffe
from protonet.data.create import create_gradients
from protonet.data.database import Database
from protonet.data.datum import decode, encode_image
from protonet.formats.blobs import from_array
from protonet.jobs.run.settings import RunSettings
from protonet.jobs.training.start import start
from protonet.proto.text import Source, read_net

ROOT = Path(__file__).parents[2]
DIGITS = ROOT / "tests" / "golden" / "digits"
NAMES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
NET = ("deploy.prototxt", "--weights", "net.caffemodel", "--mean", "64", "--input_scale", 1 / 128)
LABELS = ("--labels", "labels.txt")


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The test images as ``val/<name>/<place>.png`` and in ``val.txt``, and the net."""
    folder = tmp_path_factory.mktemp("digits")
    lines = []
    with Database(DIGITS / "test_db") as database:
        for place, (_, datum) in enumerate(database):
            path = folder / "val" / NAMES[datum.label] / f"{place:03}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encode_image(decode(datum, "")))
            lines.append(f"{path.relative_to(folder)} {datum.label}\n")
    (folder / "val.txt").write_text("".join(lines))
    (folder / "labels.txt").write_text("\n".join(NAMES))
    mean = np.full((1, 1, 8, 8), 64, np.float32)
    (folder / "mean.binaryproto").write_bytes(from_array(mean).SerializeToString())
    deploy = (ROOT / "examples" / "pycaffe" / "deploy.prototxt").read_text()
    (folder / "deploy.prototxt").write_text(deploy)
    scale = 'name: "s" type: "Power" power_param { scale: 0.0078125 } bottom: "data" top: "s"'
    first = 'name: "conv1" type: "Convolution" bottom: '
    scaled = deploy.replace(f'{first}"data"', f'{scale} }}\nlayer {{ {first}"s"')
    (folder / "scaled.prototxt").write_text(scaled)
    (folder / "net.caffemodel").write_bytes((DIGITS / "digits_iter_200.caffemodel").read_bytes())
    return folder


@pytest.fixture(autouse=True)
def here(digits: Path, tmp_path: Path) -> None:
    for entry in digits.iterdir():
        (tmp_path / entry.name).symlink_to(entry)


@pytest.mark.parametrize("given", [("val.txt",), ("val", *LABELS)])
def test_the_accuracy_is_that_of_caffes_log(
    protonet: Any, tmp_path: Path, given: tuple[str, ...]
) -> None:
    """0.882155 at iteration 200, from the true classes of a list, and from named folders."""
    found = protonet("classify", *NET, *given, "--confusion", "c.png", "--format", "csv")
    assert found.returncode == 0, found.stderr
    rows = list(csv.DictReader(found.stdout.splitlines()))
    assert len(rows) == 297 * 5
    best = [row for row in rows if row["rank"] == "1"]
    assert sum(row["class"] == row["true"] for row in best) == 262
    told = found.stderr.splitlines()
    assert told[:2] == [
        "top-1 accuracy: 0.8822 (262 of 297)",
        "top-5 accuracy: 1.0000 (297 of 297)",
    ]
    assert "predicted as" in told[2]
    assert told[-1] == "c.png"
    with Image.open(tmp_path / "c.png") as image:
        assert image.format == "PNG"


def test_scores_in_another_precision(protonet: Any, tmp_path: Path) -> None:
    scores = {}
    for precision in ("float32", "bfloat16"):
        given = ("--precision", precision, "--out", f"{precision}.npy")
        assert protonet("classify", *NET, "val/three", *given).returncode == 0
        scores[precision] = np.load(tmp_path / f"{precision}.npy")
    wide, rounded = scores["float32"], scores["bfloat16"]
    assert not np.array_equal(wide, rounded)
    np.testing.assert_allclose(rounded, wide, atol=0.03)
    agree = np.mean(wide.argmax(axis=1) == rounded.argmax(axis=1))
    assert agree > 0.95


def test_caffes_positional_form_and_its_lines(protonet: Any, tmp_path: Path) -> None:
    image = min(str(path.relative_to(tmp_path)) for path in tmp_path.glob("val/one/*"))
    given = ("scaled.prototxt", "net.caffemodel", "mean.binaryproto", "labels.txt", image)
    found = protonet("classify", *given)
    assert (found.returncode, found.stderr) == (0, "")
    first, *lines = found.stdout.splitlines()
    assert first == f"---------- Prediction for {image} ----------"
    assert len(lines) == 5
    assert lines[0].endswith(' - "one"')
    asked = protonet("classify", *NET, *LABELS, image, "--format", "json", "--top", 10)
    answer = json.loads(asked.stdout)
    assert [f'{each["score"]:.4f} - "{each["name"]}"' for each in answer["top"][:5]] == lines
    assert sum(each["score"] for each in answer["top"]) == pytest.approx(1, abs=1e-5)
    assert "true" not in answer


def test_caffes_classify_py(protonet: Any, tmp_path: Path) -> None:
    """Ten crops of images of 256 x 256, unless it is said otherwise."""
    (tmp_path / "in").mkdir()
    pixels = np.random.default_rng(3).integers(0, 256, (2, 256, 256), np.uint8)
    for place, plane in enumerate(pixels):
        (tmp_path / "in" / f"{place}.jpg").write_bytes(encode_image(plane))
    (tmp_path / "in" / "other.png").write_bytes(b"")
    np.save(tmp_path / "m.npy", np.full((1, 8, 8), 64, np.float32))
    flags = ("--model_def", "deploy.prototxt", "--pretrained_model", "net.caffemodel")
    more = ("--mean_file", "m.npy", "--input_scale", "0.0078125", "--ext", "jpg")
    found = protonet("classify", "in", "out", *flags, *more)
    assert found.returncode == 0, found.stderr
    assert found.stderr == "out.npy: scores, 2 x 10\n"
    classifier = caffe.Classifier(
        tmp_path / "deploy.prototxt",
        tmp_path / "net.caffemodel",
        image_dims=(256, 256),
        mean=np.array([64.0]),
        input_scale=0.0078125,
        raw_scale=255,
    )
    images = [caffe.io.load_image(tmp_path / "in" / f"{i}.jpg", color=False) for i in (0, 1)]
    expected = classifier.predict(images)
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), expected, rtol=1e-4, atol=1e-6)
    found = protonet("classify", *flags, "--images_dim=8,8", "--center_only", "in/0.jpg", "o.npy")
    assert found.returncode == 0
    assert "no --mean_file: no mean is subtracted" in found.stderr
    assert np.load(tmp_path / "o.npy").shape == (1, 10)


def test_an_image_that_cannot_be_read_is_passed_over(protonet: Any, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"text")
    good = sorted(tmp_path.glob("val/two/*"))[:2]
    found = protonet("classify", *NET, good[0], "bad.png", "nowhere.png", good[1], "-o", "s.npy",
                     "--format", "json")  # fmt: skip
    assert found.returncode == 4
    assert [json.loads(line)["image"] for line in found.stdout.splitlines()] == list(map(str, good))
    assert found.stderr.splitlines() == [
        "error: bad.png: the data is not an image that can be decoded",
        "error: nowhere.png: cannot be read: No such file or directory",
        "2 of 4 images could not be read",
        "s.npy: scores, 4 x 10",
    ]
    scores = np.load(tmp_path / "s.npy")
    assert np.isnan(scores).all(axis=1).tolist() == [False, True, True, False]
    np.testing.assert_allclose(scores[[0, 3]].sum(axis=1), 1, atol=1e-5)


def test_a_table_on_a_terminal(terminal: Any, tmp_path: Path) -> None:
    some = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.glob("val/six/*"))[:3]
    shown = terminal("classify", *NET, *LABELS, *some, "--top", 2).stdout
    lines = [line.split() for line in shown.splitlines() if "0." in line]
    assert [line[0] for line in lines if len(line) == 3] == some
    assert {line[-1] for line in lines if len(line) == 3} == {"six"}
    assert len(lines) == 6
    shown = terminal("classify", *NET, *LABELS, "val").stdout
    assert "top-1 accuracy: 0.8822 (262 of 297)" in shown
    assert "true \\ predicted" in shown
    assert len([line for line in shown.splitlines() if line.strip().startswith("val/")]) == 297


GRADIENT = """
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip"
  inner_product_param { num_output: 2 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss"
  exclude { stage: "deploy" } }
"""


def test_a_run(protonet: Any, tmp_path: Path) -> None:
    """Its labels, its snapshots; its output is no distribution, which is told."""
    images = tmp_path / "list.txt"
    for place in range(8):
        plane = np.full((6, 5), 240 * (place % 2), np.uint8)
        (tmp_path / f"{place}.png").write_bytes(encode_image(plane))
    images.write_text("".join(f"{place}.png {place % 2}\n" for place in range(8)))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "labels.txt").write_text("dark\nlight\n")
    made = protonet("convert-imageset", "--gray", f"{tmp_path}/", "list.txt", "data/db")
    assert made.returncode == 0
    settings = RunSettings(tmp_path / "data" / "db", epochs=30, batch_size=8, lr=0.0001,
                           out=tmp_path / "run")  # fmt: skip
    start(read_net(Source("net.prototxt", GRADIENT)), settings)
    found = protonet("classify", "run", "list.txt", "--snapshot", "last", "--format", "table")
    assert found.returncode == 0, found.stderr
    assert "output 'ip' is not a probability distribution (its values go from" in found.stderr
    assert "top-1 accuracy: 1.0000 (8 of 8)" in found.stdout
    assert found.stdout.splitlines()[0].split() == ["image", "score", "class", "true"]
    for given, message in (
        (("--mean", "3"), "run: a run has its own preprocessing"),
        (("--oversample",), "ten crops need images larger than the net's input, but both are 6x5"),
        (("--labels", "val.txt"), "there are 297 labels, but output 'ip' of run/deploy.prototxt "),
        (("--snapshot", "999"), "no snapshot '999'"),
    ):
        wrong = protonet("classify", "run", "list.txt", *given)
        assert wrong.returncode == 2
        assert message in wrong.stderr


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("nowhere", "a.png"), "nowhere: no such run directory or deploy.prototxt"),
        (("val", "a.png"), "val: not a run directory"),
        (("deploy.prototxt", "a.png"), "a deploy.prototxt needs --weights"),
        (("deploy.prototxt", "net.caffemodel", "a.png"), "expected deploy.prototxt, weights, mean"),
        (
            ("deploy.prototxt", "net.caffemodel", "m.npy", "l.txt", "a.png", "--mean", "3"),
            "the mean and the labels are given twice",
        ),
        ((*NET, "a.png", "--labels", "nowhere"), "nowhere: no such file of labels"),
        ((*NET, "val", "--confusion", "c.png", "--ext", "bmp"), "val: has no .bmp file in it"),
        ((*NET, "val/one/000.png", "--confusion", "c.png"), "--confusion needs images of known"),
        ((*NET, "a.png", "--snapshot", "3"), "--snapshot selects weights of a run"),
        (("a.png", "o.npy", "--model_def", "deploy.prototxt"), "expected an image or folder, a ."),
        ((*NET, "a.png", "--images-dim", "9"), "expected height,width, as in 256,256"),
        ((*NET, "a.png", "--channel-swap", "a"), "expected comma-separated integers"),
        ((*NET, "a.png", "--gpu", "--device", "cpu"), "--gpu and --device both choose a device"),
        (("net.caffemodel", "--weights", "net.caffemodel", "a.png"), "net.caffemodel: "),
    ],
)
def test_what_cannot_be(
    protonet: Any, tmp_path: Path, given: tuple[object, ...], message: str
) -> None:
    first = min(tmp_path.glob("val/one/*"))
    given = tuple(str(first) if each == "val/one/000.png" else each for each in given)
    found = protonet("classify", *given)
    assert found.returncode == 2
    assert message in found.stderr
    assert "Traceback" not in found.stderr


def test_a_net_that_reads_its_data_itself(protonet: Any, tmp_path: Path) -> None:
    (tmp_path / "train_val.prototxt").symlink_to(DIGITS / "train_val.prototxt")
    found = protonet("classify", "train_val.prototxt", *NET[1:], "val")
    assert found.returncode == 2
    assert (
        "train_val.prototxt: has no input; prediction on images needs exactly one, as a deploy"
        in (found.stderr)
    )


ENDINGS = {"zip": ".zip", "tar": ".tar", "gztar": ".tar.gz"}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """The digits as DIGITS packs a model: the mean and the factor are in the training's text."""
    folder = tmp_path / "model"
    folder.mkdir()
    for name in ("deploy.prototxt", "labels.txt"):
        shutil.copy(tmp_path / name, folder)
    shutil.copy(tmp_path / "net.caffemodel", folder / "snapshot_iter_200.caffemodel")
    shutil.copy(DIGITS / "train_val.prototxt", folder)
    info = {
        "deploy file": "deploy.prototxt", "framework": "caffe", "image dimensions": [8, 8, 1],
        "image resize mode": "squash", "labels file": "labels.txt", "mean file": "",
        "snapshot file": "snapshot_iter_200.caffemodel", "train_val file": "train_val.prototxt",
    }  # fmt: skip
    (folder / "info.json").write_text(json.dumps(info))
    return folder


@pytest.mark.parametrize("kind", ["folder", *ENDINGS])
def test_a_model_of_digits_answers_as_its_parts(
    protonet: Any, tmp_path: Path, model: Path, kind: str
) -> None:
    path = model if kind == "folder" else Path(shutil.make_archive(str(model), kind, model))
    assert path.name == "model" + ENDINGS.get(kind, "")
    singly = protonet("classify", *NET, "val.txt", *LABELS, "--format", "csv")
    packed = protonet("classify", path.name, "val.txt", "--format", "csv")
    assert (packed.returncode, packed.stderr) == (0, singly.stderr)
    assert packed.stdout == singly.stdout
    assert len(packed.stdout.splitlines()) == 1 + 297 * 5
    one = str(min(tmp_path.glob("val/one/*")))
    asked = protonet("infer", path.name, one, "--json")
    (answer,) = (json.loads(line) for line in asked.stdout.splitlines())
    assert answer["snapshot"] == 200
    scores = max(answer["outputs"]["prob"])
    ranked = [row for row in csv.DictReader(packed.stdout.splitlines()) if row["image"] == one]
    assert not ranked or float(ranked[0]["score"]) == pytest.approx(scores, abs=1e-5)
    named = protonet("infer", path.name, one)
    assert named.stdout.splitlines()[1].endswith("  one")


@pytest.mark.parametrize("command", ["classify", "infer"])
def test_a_model_of_digits_that_lacks_a_part(
    protonet: Any, tmp_path: Path, model: Path, command: str
) -> None:
    (model / "snapshot_iter_200.caffemodel").unlink()
    shutil.make_archive(str(model), "gztar", model)
    image = min(tmp_path.glob("val/one/*"))
    found = protonet(command, "model.tar.gz", image)
    assert (found.returncode, found.stdout) == (5, "")
    assert found.stderr == (
        "error: model.tar.gz: has no .caffemodel; it has deploy.prototxt, info.json, labels.txt, "
        "train_val.prototxt\n"
    )
    shutil.copy(tmp_path / "net.caffemodel", model / "snapshot_iter_200.caffemodel")
    found = protonet(command, "model", image, "--snapshot", "3")
    assert found.stderr == "error: model: no snapshot '3'; there are 200 and last\n"
    text = (model / "deploy.prototxt").read_text()
    (model / "deploy.prototxt").write_text(text.replace("Softmax", "Softmux"))
    shutil.make_archive(str(model), "zip", model)
    found = protonet(command, "model.zip", image)
    assert found.returncode == 3
    assert found.stderr.startswith("error: model.zip/deploy.prototxt:")
    if command == "classify":
        found = protonet("classify", "model", image, "--mean", "3")
        assert "model: a model of DIGITS has its own preprocessing" in found.stderr


def test_python_layers_of_an_archive(protonet: Any, tmp_path: Path, model: Path) -> None:
    text = (model / "deploy.prototxt").read_text()
    layer = 'layer { name: "p" type: "Python" bottom: "prob" top: "twice" python_param { '
    (model / "deploy.prototxt").write_text(
        text + layer + 'module: "digits_python_layers" layer: "Twice" } }'
    )
    (model / "digits_python_layers.py").write_text(
        "import protonet.pycaffe as caffe\nclass Twice(caffe.Layer):\n"
        "    def setup(self, b, t): pass\n"
        "    def reshape(self, b, t): t[0].reshape(*b[0].shape)\n"
        "    def forward(self, b, t): t[0].data[...] = 2 * b[0].data\n"
        "    def backward(self, t, d, b): pass\n"
    )
    shutil.make_archive(str(model), "gztar", model)
    image = min(tmp_path.glob("val/one/*"))
    for command in ("infer", "classify"):
        more = ("--output", "twice") if command == "classify" else ()
        refused = protonet(command, "model.tar.gz", image, *more)
        assert (refused.returncode, "--allow-python-layers" in refused.stderr) == (3, True)
        taken = protonet(command, "model.tar.gz", image, *more, "--allow-python-layers")
        assert taken.returncode == 0, taken.stderr


def test_seed_data_has_no_classes(protonet: Any, tmp_path: Path) -> None:
    create_gradients(tmp_path / "g", 8, 8, 2, 1, seed=1)
    found = protonet("classify", *NET, "g/test.png", "--format", "json")
    assert (found.returncode, found.stderr) == (0, "")
    assert len(json.loads(found.stdout)["top"]) == 5
