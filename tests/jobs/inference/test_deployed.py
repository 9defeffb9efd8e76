"""The part of a text that is asked about images."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from protonet.data.database import Database
from protonet.data.datum import decode, encode_image
from protonet.device import Device
from protonet.errors import DeviceError, UsageError
from protonet.formats.caffemodel import open_weights, write_model
from protonet.graph import parameters
from protonet.graph.int8 import int8_params, measured_values
from protonet.graph.net import Net
from protonet.graph.planning import plan_net
from protonet.jobs.checks import memory
from protonet.jobs.inference import deployed
from protonet.jobs.inference.deployed import DeployNets, deploy_net, read_deploy
from protonet.proto.caffe_pb2 import TEST, Int8Parameter
from protonet.proto.text import Source, write_text
from tests.kernels.instructions import INTEGERS

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "examples" / "pycaffe" / "deploy.prototxt"
WEIGHTS = ROOT / "tests" / "golden" / "digits" / "digits_iter_200.caffemodel"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "n: has no input; prediction on images needs exactly one, as a deploy.prototxt"),
        (
            'input: "a" input: "b" input_shape { dim: 2 } input_shape { dim: 3 }',
            "n: has the inputs a, b; prediction",
        ),
        ('input: "a" input_shape { dim: 2 dim: 5 }', "n: input 'a' has 2 axes; images need four"),
    ],
)
def test_nets_that_cannot_be_asked(text: str, message: str) -> None:
    net = f'{text} layer {{ name: "s" type: "Silence" include {{ stage: "deploy" }} }}'
    with pytest.raises(UsageError, match=message):
        deploy_net(Source("n", net))


def test_a_folder_has_weights_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="own weights; to use others, name its deploy"):
        read_deploy(tmp_path)


def test_the_input_of_a_text_with_stages() -> None:
    text = """
    layer { name: "data" type: "Input" top: "data" include { stage: "deploy" }
      input_param { shape { dim: 2 dim: 3 dim: 5 dim: 7 } } }
    layer { name: "loss" type: "EuclideanLoss" bottom: "data" bottom: "label" top: "loss"
      exclude { stage: "deploy" } }
    layer { name: "out" type: "Power" bottom: "data" top: "out" }
    """
    definition, given = deploy_net(Source("n", text))
    assert [layer.name for layer in definition.net.layer] == ["data", "out"]
    assert list(given.input_param.shape[0].dim) == [2, 3, 5, 7]


def test_a_lua_definition_is_translated(tmp_path: Path) -> None:
    path = tmp_path / "net.lua"
    path.write_text("return function(p) return nn.Sequential():add(nn.View(-1):setNumInputDims(3)):"
                    "add(nn.Linear(p.inputShape[2] * p.inputShape[3], 2)) end")  # fmt: skip
    definition, given = deploy_net(read_deploy(path, (1, 4, 5)))
    assert list(given.input_param.shape[0].dim) == [1, 1, 4, 5]
    assert [layer.type for layer in definition.net.layer] == ["Input", "Reshape", "InnerProduct"]
    plain = tmp_path / "deploy.prototxt"
    plain.write_text(write_text(definition.net))
    assert read_deploy(plain).text == plain.read_text()
    with pytest.raises(UsageError, match="has the shape of its input"):
        read_deploy(plain, (1, 4, 5))


def nets(limit: int | None = None) -> DeployNets:
    source = Source.read(DEPLOY)
    found = DeployNets(
        source,
        deploy_net(source),
        Device(),
        python_layers=True,
        memory_limit=limit,
        fuse=True,
    )
    found.use(open_weights(WEIGHTS), str(WEIGHTS))
    return found


def test_one_image_is_planned_once_and_nothing_is_filled(monkeypatch: pytest.MonkeyPatch) -> None:
    planned, filled = [], []
    plan_net, fill = deployed.plan_net, parameters.fill
    monkeypatch.setattr(
        deployed, "plan_net", lambda *a, **k: planned.append(1) or plan_net(*a, **k)
    )
    monkeypatch.setattr(parameters, "fill", lambda *a, **k: filled.append(1) or fill(*a, **k))
    found = nets()
    assert found.most(1) == 1
    found.forward_pass(1)
    found.plan(1)
    assert (len(planned), len(filled)) == (1, 0)
    found.close()


def test_batches_share_the_weights() -> None:
    found = nets()
    one, three = found.forward_pass(1).net, found.forward_pass(3).net
    assert not three.store.params
    stored = open_weights(WEIGHTS)
    for name, params in three.params.items():
        for param, first, expected in zip(params, one.params[name], stored[name], strict=True):
            assert param is first
            if not param.released:
                np.testing.assert_array_equal(param.data, np.asarray(expected).reshape(param.shape))
    images = np.random.default_rng(1).normal(size=three.inputs["data"].shape)
    for place, image in enumerate(images):
        one.inputs["data"].data[...], three.inputs["data"].data[...] = image, images
        for net in (one, three):
            net.forward()
        single, batch = one.outputs()[0][1], three.outputs()[0][1]
        np.testing.assert_allclose(single[0], batch[place], rtol=1e-4, atol=1e-6)
    found.close()


def test_weights_in_memory_count_beside_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    copies = []
    check = memory.check_inference
    monkeypatch.setattr(
        memory, "check_inference", lambda *a, **k: copies.append(k["copies"]) or check(*a, **k)
    )
    found = nets(2**30)
    assert copies == [0]
    found.use({name: list(arrays) for name, arrays in open_weights(WEIGHTS).items()}, "given")
    assert copies == [0, 1]
    found.close()


def test_the_limit_makes_batches_smaller() -> None:
    assert nets().most(40) == 16
    with pytest.raises(DeviceError) as refused:
        nets(1)
    assert "memory limit" in str(refused.value)


def test_scores_of_a_prototxt_import_nothing_of_other_uses(tmp_path: Path) -> None:
    image = tmp_path / "a.png"
    image.write_bytes(encode_image(np.zeros((8, 8), np.uint8)))
    code = (
        "import sys\nfrom protonet.cli.app import main\n"
        f"main(['infer', {str(DEPLOY)!r}, {str(image)!r}, '--weights', {str(WEIGHTS)!r}])\n"
        "others = ('torch7', 'definitions', 'metrics', 'detection', 'solvers.update',\n"
        "          'text_format')\n"
        "print([m for m in sys.modules if any(o in m for o in others)], len(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert " = [" in done.stdout
    found, count = done.stdout.splitlines()[-1].rsplit(" ", 1)
    assert found == "[]"
    assert int(count) < 700  # 560 when this was written


def quantized(path: Path, images: np.ndarray) -> Path:
    """The digits' weights with the ranges of values for images."""
    source = Source.read(DEPLOY)
    plan = plan_net(deploy_net(source)[0], phase=TEST, stages=["deploy"])
    values = measured_values(plan)
    net = Net(plan.keeping(values), Device(), gradients=False, packed=True)
    net.load(open_weights(WEIGHTS), str(WEIGHTS))
    found = []
    for image in images:
        net.inputs["data"].data[...] = image
        net.forward()
        found.append([(net.data_of(v).min(), net.data_of(v).max()) for v in values])
    lows, highs = np.min(found, axis=0)[:, 0].tolist(), np.max(found, axis=0)[:, 1].tolist()
    message = net.message()
    params = int8_params(plan, dict(zip(values, zip(lows, highs, strict=True), strict=True)))
    for layer in message.layer:
        layer.int8_param.CopyFrom(params.get(layer.name, Int8Parameter()))
    write_model(path, message)
    return path


def images_of(name: str) -> np.ndarray:
    """The digits of a database, as their net takes them."""
    with Database(WEIGHTS.parent / name) as database:
        pixels = [decode(datum, key.decode()) for key, datum in database]
    return (np.array(pixels, np.float32) - 64) * np.float32(0.0078125)


def answers(
    weights: Path, images: np.ndarray, device: Device, precision: str | None = None
) -> tuple[np.ndarray, str]:
    """The scores of images, and what is said of the net."""
    source = Source.read(DEPLOY)
    how = {"python_layers": True, "memory_limit": None, "fuse": True}
    found = DeployNets(source, deploy_net(source), device, **how)
    found.use(open_weights(weights), str(weights))
    run = found.forward_pass(len(images), precision)
    run.net.inputs["data"].data[...] = images
    run.run()
    (scores,) = (values for name, values, _ in run.net.outputs() if name == "prob")
    found.close()
    return scores, found.note


def test_quantized_weights_compute_in_8_bits_unless_a_precision_is_named(tmp_path: Path) -> None:
    digits = images_of("test_db")
    images, others = digits[:99], digits[99:]
    path = quantized(tmp_path / "quantized.caffemodel", others)
    exact = answers(WEIGHTS, images, INTEGERS)[0]
    found, note = answers(path, images, INTEGERS)
    assert note == ""
    error = np.abs(found - exact)
    assert 0 < error.max() < 0.05
    assert error.mean() < 0.002
    assert (found.argmax(axis=1) == exact.argmax(axis=1)).mean() > 0.985
    np.testing.assert_array_equal(answers(path, images, INTEGERS, "float32")[0], exact)


def test_processors_without_the_instructions_compute_in_floats(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = np.ones((2, 1, 8, 8), np.float32)
    path = quantized(tmp_path / "quantized.caffemodel", images)
    monkeypatch.setattr("protonet.kernels.native.has", lambda feature: False)
    found, note = answers(path, images, Device())
    assert note.endswith("need AVX512_VNNI, or AVX2 without AVX-512: computing in float32")
    np.testing.assert_array_equal(found, answers(WEIGHTS, images, Device())[0])
