"""Asking a trained net."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from protonet.errors import DataError, FormatError, UsageError
from protonet.jobs.inference.trained_run import Predictor, choose_snapshot
from protonet.jobs.run.directory import RunDirectory
from protonet.jobs.run.record import RunRecord
from protonet.jobs.run.settings import RunSettings
from protonet.jobs.training.start import start
from tests.jobs.nets import RANDOM, SEED, net_of, settings_of


@pytest.fixture(scope="module")
def run(gradients: Path, tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    out = tmp_path_factory.mktemp("runs") / "run"
    settings = settings_of(gradients, out, epochs=300.0, lr_policy="fixed", lr=0.05)
    return start(net_of(SEED), settings).run


def test_the_answer_is_near_the_slopes(run: RunDirectory, gradients: Path) -> None:
    (answer,) = Predictor(run).predict([gradients / "test.png"])
    np.testing.assert_allclose(answer.outputs["output"], [0.5, 0.5], atol=0.02)
    assert answer.note == ""


def test_images_in_a_batch_get_what_they_get_alone(
    run: RunDirectory, gradients: Path, tmp_path: Path
) -> None:
    paths = []
    for i in range(19):
        paths.append(tmp_path / f"{i}.png")
        pixels = np.random.default_rng(i).integers(0, 256, (17, 20), np.uint8)
        Image.fromarray(pixels).save(paths[-1])
    predictor = Predictor(run)
    together = predictor.predict(paths)
    assert [answer.image for answer in together] == paths
    for answer in together:
        (alone,) = predictor.predict([answer.image])
        np.testing.assert_allclose(
            answer.outputs["output"], alone.outputs["output"], rtol=1e-4, atol=1e-5
        )


def test_a_colour_image_of_another_size_is_made_to_fit(
    run: RunDirectory, gradients: Path, tmp_path: Path
) -> None:
    large = Image.open(gradients / "test.png").resize((40, 34)).convert("RGB")
    large.save(tmp_path / "large.png")
    (answer,) = Predictor(run).predict([tmp_path / "large.png"])
    assert answer.note == "resized from 40x34 to 20x17"
    np.testing.assert_allclose(answer.outputs["output"], [0.5, 0.5], atol=0.1)


def test_a_net_with_crop_mirror_and_dropout_answers_always_the_same(
    gradients: Path, tmp_path: Path
) -> None:
    run = start(net_of(RANDOM), settings_of(gradients, tmp_path / "run")).run
    answers = [Predictor(run).predict([gradients / "test.png"])[0] for _ in range(2)]
    np.testing.assert_array_equal(answers[0].outputs["output"], answers[1].outputs["output"])


def test_a_net_that_takes_one_image_at_a_time(gradients: Path, tmp_path: Path) -> None:
    text = (
        SEED
        + """layer { name: "cut" type: "Reshape" bottom: "output" top: "halves"
      reshape_param { shape { dim: 2 dim: 1 } } include { stage: "deploy" } }"""
    )
    run = start(net_of(text), settings_of(gradients, tmp_path / "run")).run
    with Predictor(run) as predictor:
        answers = predictor.predict([gradients / "test.png"] * 2)
    for answer in answers:
        assert answer.outputs["halves"].shape == (2, 1)
    np.testing.assert_array_equal(answers[0].outputs["halves"], answers[1].outputs["halves"])


def test_weights_that_the_deploy_net_lacks(gradients: Path, tmp_path: Path) -> None:
    text = (
        SEED
        + """layer { name: "more" type: "InnerProduct" bottom: "output" top: "more"
      inner_product_param { num_output: 3 } include { stage: "deploy" } }"""
    )
    run = start(net_of(text), settings_of(gradients, tmp_path / "run")).run
    with pytest.raises(FormatError, match="has no weights for more of"):
        Predictor(run).predict([gradients / "test.png"])


def test_data_that_no_image_can_be(run: RunDirectory, gradients: Path) -> None:
    predictor = Predictor(run)
    predictor.transformer.shape = (2, 17, 20)
    with pytest.raises(DataError, match=r"deploy\.prototxt: takes data of 2 channels"):
        predictor.predict([gradients / "test.png"])


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "cannot be read: No such file"), (b"text", "not an image"), ("cut", "cut short")],
)
def test_files_that_are_no_images(
    run: RunDirectory, gradients: Path, tmp_path: Path, content: bytes | str | None, message: str
) -> None:
    path = tmp_path / "x.png"
    if content is not None:
        whole = (gradients / "test.png").read_bytes()
        path.write_bytes(whole[: len(whole) // 2] if isinstance(content, str) else content)
    with pytest.raises(DataError, match=rf"x\.png: .*{message}"):
        Predictor(run).predict([path])


def test_snapshots_by_name_and_number(run: RunDirectory) -> None:
    assert choose_snapshot(run, "last") == 600
    assert choose_snapshot(run, 40) == choose_snapshot(run, "40") == 40
    tested = [json.loads(line) for line in run.metrics.read_text().splitlines()]
    best = min(
        (line["loss"], line["iteration"])
        for line in tested
        if line["event"] == "tested" and line["iteration"] > 0
    )
    assert choose_snapshot(run, "best") == best[1]
    with pytest.raises(UsageError, match="no snapshot '7'; there are 2, 4"):
        choose_snapshot(run, 7)


def test_best_goes_by_accuracy_where_there_is_one(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    run.write(RunRecord(settings=RunSettings(tmp_path), prefix="s"))
    lines = []
    for iteration, accuracy, loss in [(1, 0.5, 0.1), (2, 0.9, 0.3), (3, 0.7, 0.2)]:
        for suffix in (".caffemodel", ".solverstate"):
            (tmp_path / f"s_iter_{iteration}{suffix}").touch()
        lines.append(
            {"event": "tested", "iteration": iteration, "net": 0, "loss": loss,
             "outputs": {"a/Accuracy": 1 - accuracy, "b/accuracy": accuracy, "loss": loss}}
        )  # fmt: skip
    run.metrics.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert choose_snapshot(run, "best") == 2
    run.metrics.unlink()
    assert choose_snapshot(run, "best") == 3


def test_runs_that_cannot_be_asked(tmp_path: Path, gradients: Path) -> None:
    run = RunDirectory(tmp_path)
    run.write(RunRecord(settings=RunSettings(tmp_path), prefix="s"))
    with pytest.raises(UsageError, match="no snapshot yet"):
        choose_snapshot(run, "last")
    with pytest.raises(UsageError, match=r"no deploy\.prototxt"):
        Predictor(run)


def test_a_changed_transform_is_told(run: RunDirectory) -> None:
    text = run.info.read_text()
    try:
        run.update(transform="scale: ?")
        with pytest.raises(FormatError, match=r"run\.json: damaged: transform"):
            Predictor(run)
    finally:
        run.info.write_text(text)
