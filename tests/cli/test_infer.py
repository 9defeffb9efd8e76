from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from protonet.cli.app import app
from protonet.cli.infer import as_shares, best_classes, vector
from protonet.data.create import create_gradients
from protonet.jobs.run.settings import RunSettings
from protonet.jobs.training.start import start
from protonet.proto.text import Source, read_net
from protonet.torch7 import serial
from protonet.torch7.objects import Tensor
from tests.jobs.nets import detector_run, segment_run
from tests.torch7.trees import call, nn, sequential

TORCH = Path(__file__).parents[1] / "golden_torch7" / "trainings" / "regression"
NET = """\
layer { name: "scale" type: "Power" bottom: "data" top: "scale" power_param { scale: 0.004 } }
layer { name: "hidden" type: "InnerProduct" bottom: "scale" top: "output"
  inner_product_param { num_output: 2 } }
layer { name: "loss" type: "EuclideanLoss" bottom: "output" bottom: "label" top: "loss"
  exclude { stage: "deploy" } }
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the run ``run`` and the images ``data/test.png`` and ``small.png``."""
    folder = tmp_path_factory.mktemp("trained")
    data = folder / "data"
    create_gradients(data, 6, 4, 40, 8, seed=1)
    settings = RunSettings(
        data / "train_images", data / "train_labels", epochs=40, batch_size=8,
        lr_policy="fixed", lr=0.05, out=folder / "run",
    )  # fmt: skip
    start(read_net(Source("net.prototxt", NET)), settings)
    Image.new("L", (3, 2), 128).save(folder / "small.png")
    return folder


def numbers(line: str) -> list[float]:
    return [float(number) for number in line.partition("[")[2].rstrip("]").split()]


def test_it_prints_a_vector_for_each_image(protonet: Any, trained: Path) -> None:
    test = trained / "data" / "test.png"
    small = trained / "small.png"
    found = protonet("infer", trained / "run", test, small)
    assert found.returncode == 0
    first, second = found.stdout.splitlines()
    assert first.startswith(f"{test}: output = [")
    assert numbers(first) == pytest.approx([0.5, 0.5], abs=0.05)
    assert second.startswith(f"{small}: output = [")
    assert numbers(second) == pytest.approx([0.0, 0.0], abs=0.1)
    assert found.stderr == f"{small}: resized from 3x2 to 6x4\n"
    alone = protonet("infer", trained / "run", test, "--no-fuse").stdout
    assert numbers(alone.strip()) == pytest.approx(numbers(first), rel=1e-5)
    rounded = protonet("infer", trained / "run", test, "--precision", "bfloat16").stdout.strip()
    assert numbers(rounded) == pytest.approx(numbers(first), rel=0.02)
    assert numbers(rounded) != numbers(first)


def test_json_is_an_object_a_line(protonet: Any, trained: Path) -> None:
    test = trained / "data" / "test.png"
    found = protonet("infer", trained / "run", test, test, "--json", "--snapshot", 5)
    first, second = (json.loads(line) for line in found.stdout.splitlines())
    assert first == second
    assert (first["image"], first["snapshot"]) == (str(test), 5)
    assert len(first["outputs"]["output"]) == 2
    last = json.loads(protonet("infer", trained / "run", test, "--json").stdout)
    assert last["snapshot"] == 200
    assert last["outputs"] != first["outputs"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("absent", "data/test.png"), 2, "error: absent: no such run directory"),
        (("data", "data/test.png"), 2, "error: data: not a run directory"),
        (("run", "absent.png"), 4, "absent.png: cannot be read"),
        (("run", "run/run.json"), 4, "run/run.json: "),
        (("run", "data/test.png", "--snapshot", "7"), 2, "no snapshot '7'; there are 5, 10,"),
        (("run", "data/test.png", "--device", "tpu"), 6, "error: unknown device 'tpu'"),
        (("run",), 2, "Missing argument 'IMAGE...'"),
    ],
)
def test_what_cannot_be_asked_is_refused(
    protonet: Any,
    trained: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    arguments: tuple[str, ...],
    code: int,
    message: str,
) -> None:
    for name in ("run", "data"):
        (tmp_path / name).symlink_to(trained / name)
    found = protonet("infer", *arguments)
    assert (found.returncode, found.stdout) == (code, "")
    assert message in found.stderr
    assert "Traceback" not in found.stderr


def test_a_deploy_text_is_asked_with_its_weights_and_mean(protonet: Any, trained: Path) -> None:
    run, test = trained / "run", trained / "data" / "test.png"
    (weights,) = run.glob("*_iter_200.caffemodel")
    (mean,) = run.glob("*.binaryproto")
    found = protonet("infer", run / "deploy.prototxt", test, "--weights", weights, "--mean", mean)
    assert (found.returncode, found.stdout) == (0, protonet("infer", run, test).stdout)
    scaled = ("infer", run / "deploy.prototxt", test, "--weights", weights, "--mean", mean)
    assert protonet(*scaled, "--input-scale", 1).stdout == found.stdout
    half = protonet(*scaled, "--input-scale", 0.5)
    assert half.returncode == 0
    assert half.stdout != found.stdout
    for option, value in (("--mean", mean), ("--input-scale", 2)):
        refused = protonet("infer", run, test, option, value)
        assert refused.returncode == 2
        assert f"{option} requires --weights" in refused.stderr


def test_an_image_that_cannot_be_read_does_not_end_the_others(
    protonet: Any, trained: Path, tmp_path: Path
) -> None:
    test, broken = trained / "data" / "test.png", tmp_path / "broken.png"
    broken.write_bytes(test.read_bytes()[:60])
    alone = protonet("infer", trained / "run", test).stdout
    found = protonet("infer", trained / "run", broken, test, tmp_path / "absent.png", test)
    assert (found.returncode, found.stdout) == (4, alone * 2)
    first, second, last = found.stderr.splitlines()
    assert first.startswith(f"{broken}: ")
    assert second == f"{tmp_path / 'absent.png'}: cannot be read: No such file or directory"
    assert last == "error: 2 of 4 images could not be read"


def test_known_classes_are_ranked(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"class {letter}" for letter in "abcdefg"]
    shares = np.array([0.05, 0.3, 0.01, 0.2, 0.4, 0.03, 0.01], np.float32)
    answer = SimpleNamespace(
        image=Path("a.png"), note="", outputs={"prob": shares, "pair": np.array([1.0, 2.5])}
    )

    class Asked:
        iteration, class_names, note = 3, names, ""

        def __init__(self, run: object, snapshot: str, device: object, **_: object) -> None:
            self.outputs: dict[str, tuple[int, ...]] = {}

        def __enter__(self) -> Asked:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def stream(self, images: object, failed: object) -> list[SimpleNamespace]:
            return [answer]

    monkeypatch.setattr("protonet.jobs.inference.trained_run.Predictor", Asked)
    monkeypatch.setattr("protonet.jobs.run.directory.RunDirectory.open", lambda path: None)
    shown = CliRunner().invoke(app, ["infer", "run", "a.png"], catch_exceptions=False)
    assert shown.output.splitlines() == [
        "a.png: prob",
        "    40.00%  class e",
        "    30.00%  class b",
        "    20.00%  class d",
        "     5.00%  class a",
        "     3.00%  class f",
        "a.png: pair = [1 2.5]",
    ]


def test_fewer_classes_than_five_are_all_shown() -> None:
    assert best_classes(np.array([[0.25, 0.75]]), ["cat", "dog"]) == [(0.75, "dog"), (0.25, "cat")]


def test_a_long_array_is_cut_with_its_shape() -> None:
    values = np.arange(30.0).reshape(2, 3, 5)
    assert vector(values) == f"[{' '.join(str(i) for i in range(20))} ...] (2x3x5 values)"
    assert vector(np.array([0.5065912, 0.504923], np.float32)) == "[0.5065912 0.504923]"


def test_a_model_of_torch7(protonet: Any, tmp_path: Path) -> None:
    view = call(nn("View", -1), "setNumInputDims", 3)
    linear = nn("Linear", 16, 2)
    linear.fields["weight"] = Tensor.of(np.full((2, 16), 0.01) * [[1], [-1]])
    linear.fields["bias"] = Tensor.of(np.array([0.0, 5.0]))
    serial.save(tmp_path / "m.t7", sequential(view, linear))
    Image.new("L", (4, 4), 100).save(tmp_path / "a.png")
    found = protonet("infer", "m.t7", "a.png")
    assert found.stdout == "a.png: Linear1 = [16 -11]\n"
    assert found.stderr == "m.t7: takes images of 1x4x4, as far as it tells\n"
    found = protonet("infer", "m.t7", "a.png", "--mean", "50", "--input-shape", "1x4x4")
    assert (found.stdout, found.stderr) == ("a.png: Linear1 = [8 -3]\n", "")
    (tmp_path / "labels.txt").write_text("light\ndark\n")
    found = protonet("infer", "m.t7", "a.png", "--labels", "labels.txt")
    assert found.stdout.splitlines()[1].split() == ["1600.00%", "light"]
    found = protonet("infer", "m.t7", "a.png", "--input-shape", "1x3x3")
    assert found.returncode == 3
    assert "m.t7: modules/2 (byte " in found.stderr
    found = protonet("infer", "m.t7", "a.png", "--labels", "none.txt")
    assert found.stderr.endswith("none.txt: no such file of labels\n")


def test_logarithms_of_probabilities_are_shown_as_probabilities() -> None:
    shares = np.array([0.25, 0.75])
    np.testing.assert_allclose(as_shares(np.log(shares)), shares)
    scores = np.array([-1.0, -2.0])
    assert as_shares(scores) is scores


def test_a_lua_text_with_each_kind_of_weights(protonet: Any, tmp_path: Path) -> None:
    (tmp_path / "net.lua").write_text((TORCH / "net.lua").read_text())
    values = np.arange(2500, dtype=np.uint8).reshape(50, 50)
    Image.fromarray(values, "L").save(tmp_path / "a.png")
    model, flat = TORCH / "model.t7", TORCH / "weights.t7"
    assert protonet("convert-weights", model, "w.npz").returncode == 0
    shape = ("--input-shape", "1x50x50")
    answers = [protonet("infer", model, "a.png", *shape)]
    for weights in (model, flat, "w.npz"):
        answers.append(protonet("infer", "net.lua", "a.png", "--weights", weights, *shape))
    assert [each.returncode for each in answers] == [0] * 4, answers
    found = [numbers(each.stdout.strip()) for each in answers]
    trained = serial.read(model).fields["modules"][3].fields
    expected = trained["weight"].array @ (0.004 * values.reshape(-1)) + trained["bias"].array
    for each in found:
        assert each == pytest.approx(expected.tolist(), rel=1e-5)


def test_colours_of_a_model_of_torch7(protonet: Any, tmp_path: Path) -> None:
    view = call(nn("View", -1), "setNumInputDims", 3)
    linear = nn("Linear", 3, 1)
    linear.fields["weight"], linear.fields["bias"] = (
        Tensor.of(np.array(values)) for values in ([[1.0, 0, 0]], [0.0])
    )
    serial.save(tmp_path / "m.t7", sequential(view, linear))
    Image.new("RGB", (1, 1), (7, 8, 9)).save(tmp_path / "a.png")
    assert protonet("infer", "m.t7", "a.png").stdout == "a.png: Linear1 = [7]\n"
    assert protonet("infer", "m.t7", "a.png", "--bgr").stdout == "a.png: Linear1 = [9]\n"
    found = protonet("infer", "run", "a.png", "--bgr")
    assert (found.returncode, found.stdout) == (2, "")
    assert "run: is no .t7 file; --bgr is only for one" in found.stderr


@pytest.fixture(scope="module")
def segments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("segments")
    segment_run(folder)
    return folder


def test_the_classes_of_pixels_as_shares_and_pictures(
    protonet: Any, segments: Path, tmp_path: Path
) -> None:
    images = [segments / "set" / "images" / f"{name}.png" for name in "ab"]
    found = protonet("infer", segments / "run", *images, "--picture", "pictures/new")
    assert (found.returncode, found.stderr) == (0, "")
    lines = found.stdout.splitlines()
    assert lines[0] == f"{images[0]}: softmax, classes of the pixels"
    names = {"ground", "car", "sky"}
    shares = [line.split() for line in lines[1:] if line.split()[-1] in names]
    assert sum(float(share[0].rstrip("%")) for share in shares) == pytest.approx(200, abs=0.1)
    assert [line.strip() for line in lines if "pictures" in line] == [
        f"pictures/new/{name}_{kind}.png" for name in "ab" for kind in ("labels", "overlay")
    ]
    with Image.open(tmp_path / "pictures" / "new" / "a_labels.png") as picture:
        assert picture.mode == "P"
        assert picture.size == (8, 6)
        assert set(np.unique(np.asarray(picture)).tolist()) <= {0, 1, 2}
    same = protonet("infer", segments / "run", images[0], images[0], "--picture", "p", "--json")
    answers = [json.loads(line) for line in same.stdout.splitlines()]
    assert answers[0]["outputs"] == {}
    assert sum(each["share"] for each in answers[0]["classes"]) == pytest.approx(1)
    assert {each["name"]: each["color"] for each in answers[0]["classes"]}["car"] == [200, 100, 50]
    assert [answer["pictures"] for answer in answers] == [
        ["p/a_labels.png", "p/a_overlay.png"],
        ["p/a-2_labels.png", "p/a-2_overlay.png"],
    ]


def test_opacity_1_shows_the_classes_alone(protonet: Any, segments: Path, tmp_path: Path) -> None:
    image = segments / "set" / "images" / "a.png"
    found = protonet("infer", segments / "run", image, "--picture", ".", "--opacity", 1)
    assert found.returncode == 0
    with (
        Image.open(tmp_path / "a_overlay.png") as overlay,
        Image.open(tmp_path / "a_labels.png") as labels,
    ):
        np.testing.assert_array_equal(np.asarray(overlay), np.asarray(labels.convert("RGB")))


def test_pictures_that_cannot_be(protonet: Any, segments: Path, tmp_path: Path) -> None:
    image = segments / "set" / "images" / "a.png"
    (tmp_path / "file").write_text("")
    found = protonet("infer", segments / "run", image, "--picture", "file")
    assert found.returncode == 2
    assert "--picture file: cannot be made" in found.stderr


def test_the_boxes_of_a_detector(protonet: Any, tmp_path: Path) -> None:
    detector_run(tmp_path)
    found = protonet("infer", "run", "data/test0.png", "--threshold", 0, "--json")
    assert found.returncode == 0, found.stderr
    (answer,) = map(json.loads, found.stdout.splitlines())
    assert (answer["outputs"], answer["width"], answer["height"]) == ({}, 32, 24)
    assert 1 <= len(answer["detections"]) <= 5
    scores = [each["score"] for each in answer["detections"]]
    assert scores == sorted(scores, reverse=True)
    for each in answer["detections"]:
        assert each["class"] == ["", "circle", "square", "triangle"][each["label"]]
        left, top, right, bottom = each["box"]
        assert 0 <= left <= right <= 32
        assert 0 <= top <= bottom <= 24

    weights = max((tmp_path / "run").glob("*.caffemodel"))
    text = protonet(
        "infer", "run/deploy.prototxt", "data/test0.png", "--weights", weights, "--threshold", 0,
        "--labels", "run/labels.txt", "--mean", mean_of(tmp_path / "run"), "--picture", "pictures",
    )  # fmt: skip
    assert text.returncode == 0, text.stderr
    head, *rows, picture = text.stdout.splitlines()
    assert head == f"data/test0.png: found, {len(scores)} boxes with a score of 0 or more"
    assert [row.split()[-1] for row in rows] == [each["class"] for each in answer["detections"]]
    assert picture.strip() == "pictures/test0_boxes.png"
    assert (tmp_path / "pictures" / "test0_boxes.png").is_file()


def mean_of(run: Path) -> str:
    """The mean of each channel that a run subtracts, as an option."""
    layer = read_net(Source.read(run / "train_val.prototxt")).net.layer[0]
    return ",".join(f"{value:.9g}" for value in layer.transform_param.mean_value)
