"""The benchmarks run: protonet's side of small networks, once, and the plans of all of them."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from protonet.device import Device
from protonet.graph.net import Net
from protonet.ranks.mpi import MPICommunicator
from protonet.train import gradient_sum

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def module(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module of the benchmarks, which stand beside each other as scripts do."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module(name)


def test_small_networks_are_measured_without_pytorch() -> None:
    command = [sys.executable, str(BENCHMARKS / "networks.py"), "--only", "seed,digits,lenet"]
    short = ["--quick", "--no-torch", "--rounds", "1", "--seconds", "0"]
    done = subprocess.run([*command, *short], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "PyTorch is skipped: --no-torch" in done.stdout
    rows = [line.split("|") for line in done.stdout.splitlines() if line.startswith("| ")]
    timed = [
        (row[1].strip(), int(row[2]), float(row[3])) for row in rows if row[2].strip().isdigit()
    ]
    assert [row[:2] for row in timed] == [
        *[("the seed network", 10), ("golden/digits", 50), ("LeNet", 64)],
        *[("the seed network", 1), ("the seed network", 10)],
        *[("golden/digits", 1), ("golden/digits", 50), ("LeNet", 1), ("LeNet", 64)],
    ]
    assert all(milliseconds > 0 for _, _, milliseconds in timed)


def test_every_network_is_planned(monkeypatch: pytest.MonkeyPatch) -> None:
    cases = module("cases", monkeypatch)
    for case in cases.CASES.values():
        training, answering = case.training(), case.inference(case.batch)
        assert [value.name for value in training.inputs] == ["data", "label"]
        assert [value.name for value in answering.inputs] == ["data"]
        assert len(answering.outputs) == 1
        assert cases.operations(training) >= cases.operations(answering) > 0
        assert not any(step.type == "Dropout" for step in case.training(dropout=False).steps)
    resnet = cases.operations(cases.CASES["resnet50"].inference(1))
    assert resnet == pytest.approx(2 * 3.86e9, rel=0.02)


def test_bars_are_met_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    report, cases = module("report", monkeypatch), module("cases", monkeypatch)
    lenet = cases.CASES["lenet"]
    timing = report.Timing(
        lenet, report.TRAINING, 64, 10**9, {"protonet": [0.1, 0.2, 0.1], "pytorch": [0.2, 0.3, 0.1]}
    )
    sides = {"protonet": (100.0, 250.0), "pytorch": (200.0, 340.0)}
    results = report.Results(
        [timing],
        [report.Memory(lenet, report.TRAINING, 64, sides)],
        {"protonet": 100.0, "pytorch": 90.0},
        [0.4, 0.6, 0.5],
        [0.9],
    )
    assert timing.ratio == pytest.approx(1.5)
    assert timing.milliseconds("protonet") == pytest.approx(100)
    assert [(target.wanted, target.found, target.met) for target in results.targets()] == [
        ("at least 1.8 x PyTorch", "1.50 x PyTorch", False),
        ("at least 0.5 x bare NumPy", "0.50 x bare NumPy", True),
        ("at most 140 MiB", "150 MiB", False),
        ("at most 0.800 s", "0.900 s", False),
    ]
    text = "\n".join(results.tables())
    assert "| LeNet 64, training " in text
    assert "not met" in text
    assert "10 %" in text


def test_on_a_gpu_there_are_other_batches_and_bars(monkeypatch: pytest.MonkeyPatch) -> None:
    report, cases = module("report", monkeypatch), module("cases", monkeypatch)
    gpu = module("settings", monkeypatch).Setting("cuda:0", "bfloat16")
    resnet = cases.CASES["resnet50"].on(gpu)
    assert (resnet.batch, cases.CASES["resnet50"].batch) == (64, 8)
    timing = report.Timing(
        resnet, report.TRAINING, 64, 10**9, {"protonet": [0.1], "pytorch": [0.11]}
    )
    results = report.Results([timing], gemm={"protonet": 500.0, "pytorch": 400.0}, setting=gpu)
    assert [(target.wanted, target.met) for target in results.targets()] == [
        ("at least 1 x PyTorch", True)
    ]
    assert "Product of two 8192 x 8192 bfloat16 matrices" in "\n".join(results.tables())


def test_values_of_16_bits_are_measured() -> None:
    command = [sys.executable, str(BENCHMARKS / "networks.py"), "--only", "lenet"]
    short = ["--quick", "--no-torch", "--rounds", "1", "--seconds", "0", "--precision", "bfloat16"]
    done = subprocess.run([*command, *short], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "computed in bfloat16" in done.stdout


def test_scaling_is_measured_without_pytorch() -> None:
    command = [sys.executable, str(BENCHMARKS / "scaling.py"), "--only", "lenet", "--no-torch"]
    short = ["--rounds", "2", "--seconds", "0"]
    done = subprocess.run([*command, *short], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    (row,) = (line.split("|") for line in done.stdout.splitlines() if line.startswith("| LeNet "))
    assert row[2].strip() == "64"
    one, several, weak, half, strong, mib, ours, theirs, ratio = map(float, row[3:-1])
    assert several / one == pytest.approx(2 * weak, rel=1)  # medians of few and noisy numbers
    assert mib == pytest.approx(431_080 * 4 / 2**20, rel=0.01)
    assert min(half, strong, ours, theirs, ratio) > 0


def test_efficiencies_are_those_of_a_round(monkeypatch: pytest.MonkeyPatch) -> None:
    scaling, cases = module("scaling", monkeypatch), module("cases", monkeypatch)
    seconds = {
        "protonet, one": [1.0, 2.0, 4.0], "protonet, weak": [1.25, 2.0, 8.0],
        "protonet, strong": [1.0, 1.0, 2.5], "sum": [0.2, 0.3, 0.6], "allreduce": [0.2, 0.2, 0.5],
        "pytorch, one": [2.0, 2.0, 2.0], "pytorch, weak": [2.0, 4.0, 4.0],
        "pytorch, strong": [1.0, 1.0, 1.0], "protonet, half": [0.625, 1.0, 4.0],
        "pytorch, half": [1.0, 1.0, 2.0],
    }  # fmt: skip
    found = scaling.Scaling(cases.CASES["googlenet"], 2**20, seconds)
    assert found.rate("protonet", "one") == found.rate("pytorch", "strong") / 2 == 8
    assert found.rate("protonet", "weak") == 16
    assert found.efficiency("protonet", "weak") == pytest.approx(0.8)
    assert found.efficiency("protonet", "strong") == pytest.approx(0.8)
    assert found.efficiency("protonet", "half") == pytest.approx(0.8)
    assert found.sum_ratio == pytest.approx(1.2)
    assert [(each.name, each.met) for each in found.targets()] == [
        ("GoogLeNet, weak efficiency", False),
        ("GoogLeNet, weak efficiency of DDP", True),
        ("GoogLeNet, strong efficiency of DDP", False),
        ("GoogLeNet, time of the sum", False),
    ]
    assert "| GoogLeNet |              16 |" in scaling.tables([found])


def test_the_model_is_that_of_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its tables, and the bytes of the networks that it begins with."""
    model, cases = module("scale_model", monkeypatch), module("cases", monkeypatch)
    page = (BENCHMARKS.parent / "docs" / "design" / "scale-out.md").read_text()
    for table in model.tables():
        assert table in page
    assert (gradient_sum._BUCKET, MPICommunicator.sums_at_once) == (model.PIECE, model.AT_ONCE)
    for name, work in (("lenet", model.LENET), ("googlenet", model.GOOGLENET)):
        net = Net(replace(cases.CASES[name], batch=1).training(), Device(), packed=True)
        assert work.bytes == net.store.diff.nbytes


def test_the_formulas_of_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    model = module("scale_model", monkeypatch)
    link = model.Link("", 1.0, 4.0, "")
    near = model.Link("", 0.0, 8.0, "")
    assert model.ring(8, 1, 4, link) == 6 + 3
    assert model.ring(8, 9, 4, link) == 3 * 6 + 3
    assert model.halving(8, 1, 4, link) == 4 + 3
    assert model.tree(8, 1, 4, link) == 4 * (1 + 2)
    assert model.two_levels(8, 1, 8, 4, near, link) == 1.5 + (2 + 2)
    assert model.scattered(8, 1, 8, 4, near, link) == (2 + 4 * 2) + 0.75
    work = model.Work("", 4 * 2**20, 3.0, "")
    assert work.messages == 4
    assert model.efficiency(work, 1.0, hidden=False) == 0.75
    assert model.efficiency(work, 1.0, hidden=True) == 3 / 3.25
    assert model.efficiency(work, 5.0, hidden=True) == 0.5


def test_engines_are_named_when_they_are_missing(tmp_path: Path) -> None:
    """One that is not installed, or does not read the network, leaves the others in the table."""
    command = [sys.executable, str(BENCHMARKS / "engines.py"), "--only", "lenet", "--batch", "1"]
    short = ["--rounds", "1", "--seconds", "0", "--folder", str(tmp_path)]
    done = subprocess.run(
        [*command, *short, "--engines", "onnxruntime,mnn"],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (row, *missing) = (
        [cell.strip() for cell in line.split("|")]
        for line in done.stdout.splitlines()
        if "LeNet" in line and "at least" not in line
    )
    assert row[1:3] == ["LeNet", "1"]
    assert float(row[3]) > 0 < float(row[4])
    assert (row[5:9], row[9]) == ([""] * 4, "onnxruntime")
    assert [each[1:4] for each in missing] == [["MNN", "LeNet", "1"]]
    assert missing[0][4] == "its converter ended with 1"


def test_ratios_beside_engines_are_those_to_the_fastest(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    report = module("engine_report", monkeypatch)
    seconds = {"protonet": [1.0, 2.0, 1.0], "mnn": [1.0, 1.5, 0.5], "ncnn": [0.5, 1.7, 2.5]}
    measured = report.Measured({"openvino": "not here"}, {}, seconds)
    assert (measured.fastest, measured.ratio("mnn"), measured.ratio("ncnn")) == ("mnn", 0.75, 0.85)
    kept = report.Kept(tmp_path, "float32")
    kept.write("lenet", 16, measured)
    seconds["protonet"] = [0.5, 1.0, 0.5]
    kept.write("lenet", 1, measured)
    kept.write_peaks("vgg16", {"protonet": (30.0, 600.0), "mnn": (40.0, 580.0)})
    kept.write_starts({"protonet": [(0.5, 0.4)], "onnxruntime": [(0.4, 0.5), (0.6, 0.5)]})
    kept.write_kinds("lenet", {"Softmax": (0.001, 10), "Convolution 5 x 5": (0.002, 10**9)})
    text = report.report(["a machine"], kept)
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()]
    assert [row for row in rows if row and row[-1] in ("met", "not met")] == [
        ["LeNet 1", "at least 0.9 x", "1.50 x", "met"],
        ["LeNet 16", "at least 0.9 x", "0.75 x", "not met"],
        ["networks of at least 1 x at either batch", "1 of 1", "0", "not met"],
        ["VGG-16 1, memory", "at most 580 MiB", "600 MiB", "not met"],
        ["from the start to an answer, processor", "at most 0.500 s", "0.500 s", "met"],
    ]
    assert ["OpenVINO", "LeNet", "16", "not here"] in rows
    assert ["LeNet", "Convolution 5 x 5", "2.00", "67 %", "500"] in rows


def test_answers_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    engines = module("engines", monkeypatch)
    ours = np.array([[1.0, -4.0]])
    assert engines.difference(np.array([[1.0, -3.0]]), ours) == 0.25
    assert engines.difference(np.array([[[[1.0]], [[-4.0]]]]), ours) == 0
    assert engines.difference(np.array([[1.0]]), ours) == float("inf")


def test_every_network_is_translated(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    net, cases = module("torch_net", monkeypatch), module("cases", monkeypatch)
    for case in cases.CASES.values():
        plan = case.inference(1)
        inputs = [torch.from_numpy(case.inputs(plan)["data"])]
        with torch.inference_mode():
            output = net.TorchNet(plan).module.eval().forward(*inputs)
        assert tuple(output.shape) == plan.outputs[0].shape


def test_the_input_pipeline_is_measured_and_what_is_missing_named() -> None:
    command = [sys.executable, str(BENCHMARKS / "loaders.py"), "--only", "protonet,dali,grain"]
    short = ["--records", "32", "--rounds", "1", "--seconds", "0"]
    done = subprocess.run([*command, *short], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in done.stdout.splitlines()]
    (ours,) = (row for row in rows if row and row[0] == "protonet")
    assert float(ours[2]) > 0
    missing = {row[0]: row[1] for row in rows if len(row) == 2}
    assert "No module named 'nvidia.dali'" in missing["DALI, CPU, windows decoded"] or (
        "No module named 'nvidia'" in missing["DALI, CPU, windows decoded"]
    )
    assert "No module named 'grain'" in missing["Grain, 2 threads"]


def test_pipelines_are_compared_with_the_fastest(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    loaders = module("loaders", monkeypatch)
    seconds = {"protonet": [0.01, 0.02, 0.01], "dali": [0.02, 0.02, 0.04], "grain": [0.03] * 3}
    text = loaders.report(["a machine"], dict.fromkeys(seconds, "1.0"), seconds, {"torch": "none"})
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()]
    assert ["DALI, CPU, windows decoded", "1.0", "1600", "2.00"] in rows
    assert ["PyTorch DataLoader, 2 processes", "none"] in rows
    title = "JPEG records, beside the fastest (DALI, CPU, windows decoded)"
    assert [title, "at least 1 x", "2.00 x", "met"] in rows
    ours = np.full((2, 3, 227, 227), 5, np.float32)
    np.save(tmp_path / "protonet.npy", ours)
    for found, message in (
        (ours + np.float32(2), None),
        (ours + np.float32(4), "differ"),
        (ours.astype(np.float64), "float64"),
    ):
        np.save(tmp_path / "dali.npy", found)
        if message is None:
            loaders.check("dali", tmp_path)
        else:
            with pytest.raises(RuntimeError, match=message):
                loaders.check("dali", tmp_path)


def test_the_script_for_a_gpu_stops_where_a_step_fails(tmp_path: Path) -> None:
    def run(*steps: str) -> subprocess.CompletedProcess[str]:
        here = {"DEVICE": "cpu", "PYTHON": sys.executable, "OUT": str(tmp_path)}
        return subprocess.run(
            [str(BENCHMARKS / "gpu.sh"), *steps],
            env={**os.environ, **here, "WHEELS": str(tmp_path / "none")},
            capture_output=True,
            text=True,
            timeout=120,
        )

    done = run("pycaffe")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "pycaffe: passed" in (tmp_path / "pycaffe.log").read_text()
    assert run("nonsense").returncode == 2
    failed = run("install", "pycaffe")
    assert failed.returncode == 1
    assert "no wheels in" in failed.stdout
    assert failed.stdout.rstrip().endswith(f"its log is {tmp_path}/install.log")


def test_training_beside_compilers_has_tables_and_bars(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled, report = module("compiled", monkeypatch), module("report", monkeypatch)
    lenet = module("cases", monkeypatch).CASES["lenet"]
    seconds = {"protonet": [0.1, 0.2, 0.1], "compile": [0.3, 0.3, 0.3], "jax": [0.2, 0.3, 0.1]}
    timing = report.Timing(lenet, report.TRAINING, 64, 10**9, seconds)
    assert timing.fastest == "jax"
    assert timing.ratio == pytest.approx(1.5)
    assert timing.ratio_to("compile") == pytest.approx(3)
    assert [(each.wanted, each.met) for each in compiled.targets([timing], "float32")] == [
        ("at least 2 x JAX jit", False)
    ]
    asked = compiled.options(["--only", "lenet", "--sides", "compile,jax"])
    text = "\n".join(compiled.tables([timing], asked))
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()]
    assert ["LeNet", "64", "3.00 x", "1.50 x"] in rows


def test_training_is_measured_without_compilers() -> None:
    command = [sys.executable, str(BENCHMARKS / "compiled.py"), "--only", "lenet"]
    short = ["--sides", "none", "--rounds", "1", "--seconds", "0"]
    done = subprocess.run([*command, *short], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    (row,) = (line.split("|") for line in done.stdout.splitlines() if line.startswith("| LeNet "))
    assert row[2].strip() == "64"
    assert float(row[3]) > 0


def test_growth_compares_each_size_with_the_one_before(monkeypatch: pytest.MonkeyPatch) -> None:
    growth = module("growth", monkeypatch)
    assert [
        value.name
        for value in growth.plan_net(
            growth.read_net(growth.Source("n", growth.chain(3))), phase=1
        ).outputs
    ] == ["b3"]
    costs = {
        name: {size: growth.Cost(cost, 2 * cost) for size, cost in sizes.items()}
        for name, sizes in {
            "plan a layer": {10: 5.0, 100: 4.0, 1000: 4.2},
            "x": {1: 1.0, 4: 2.0},
        }.items()
    }
    text = growth.report(costs, ["a machine"])
    assert "- a machine" in text
    told = [line.split("|")[1:-1] for line in text.splitlines() if " x " in line or " s " in line]
    cells = [[cell.strip() for cell in line] for line in told]
    assert ["plan a layer: beside the size before", "at most 1.10 x", "1.05 x", "met"] in cells
    assert ["x: beside the size before", "at most 1.10 x", "2.00 x", "not met"] in cells
    assert any(row[0] == "plan of 1,000 layers" and row[-1] == "met" for row in cells)


def test_growth_is_measured_in_pieces(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    growth = module("growth", monkeypatch)
    pieces = {
        "layers": growth.of_layers((2, 4)),
        "lenet": growth.of_batches("lenet", (1, 2)),
        "records": growth.of_records((10, 20)),
    }
    for piece, steps in pieces.items():
        with steps as timed:
            growth.write_piece(tmp_path, piece, growth.measure(timed, 1, seconds=0))
    kept = growth.read_pieces(tmp_path)
    assert {"write a record", "read a record", "an image of LeNet", "pass of a layer"} < set(kept)
    assert list(kept["an image of LeNet"]) == [1, 2]
    assert all(cost.wall > 0 for costs in kept.values() for cost in costs.values())


def test_8_bit_integers_are_measured_beside_float32(tmp_path: Path) -> None:
    """Without onnxruntime's quantization, where that is not installed."""
    command = [sys.executable, str(BENCHMARKS / "int8.py"), "--only", "lenet", "--batch", "1"]
    short = ["--rounds", "1", "--seconds", "0", "--folder", str(tmp_path)]
    done = subprocess.run([*command, *short], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    (row,) = [
        line.split("|") for line in done.stdout.splitlines() if re.match(r"\| LeNet +\|", line)
    ]
    assert row[2].strip() == "1"
    assert float(row[3]) > 0
    assert float(row[4]) > 0
    assert float(row[8]) > 20  # decibels


def test_distance_from_float32_is_that_of_what_classes_differ_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    int8 = module("int8", monkeypatch)
    exact = np.array([[[[101.0]], [[99.0]]]])
    assert int8.decibels(exact, np.array([[101.1, 98.9]])) == pytest.approx(20)
    assert int8.decibels(exact, exact[..., 0, 0]) == float("inf")
    assert int8.decibels(np.ones((1, 3)), np.zeros((1, 3))) == -float("inf")


def test_drawn_images_have_all_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    accuracy = module("int8_accuracy", monkeypatch)
    for label in range(10):
        image = accuracy.draw(np.random.default_rng(1), label)
        assert (image.shape, image.dtype) == ((3, 32, 32), np.uint8)
        assert len(np.unique(image)) > 50
