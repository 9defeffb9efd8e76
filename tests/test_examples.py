"""The example networks: each goes the whole way on a few images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from protonet.data.datum import encode_image, make_datum
from protonet.data.writer import DatabaseWriter
from protonet.jobs.inference import Predictor
from protonet.jobs.settings import RunSettings
from protonet.jobs.training import start
from protonet.proto.text import Source, read_net
from protonet.train.listeners import read_metrics

EXAMPLES = Path(__file__).parents[1] / "examples" / "prototxt"
CLASSIFIERS = {"lenet": (1, 28, 28), "squeezenet": (3, 227, 227)}


def test_every_example_is_run_and_has_a_readme() -> None:
    names = {path.name for path in EXAMPLES.iterdir()}
    assert names == {"gradients", *CLASSIFIERS}
    assert all((EXAMPLES / name / "README.md").exists() for name in names)


@pytest.mark.parametrize("name", sorted(CLASSIFIERS))
def test_a_classifier_trains_and_answers(name: str, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    with DatabaseWriter(tmp_path / "db") as database:
        for index in range(4):
            image = generator.integers(0, 256, CLASSIFIERS[name], np.uint8)
            database.put(str(index).encode(), make_datum(image, label=index % 3))
    settings = RunSettings(
        tmp_path / "db",
        val_data=tmp_path / "db",
        epochs=2.0,
        batch_size=2,
        lr=0.001,
        mean="none",
        out=tmp_path / "run",
    )
    outcome = start(read_net(Source.read(EXAMPLES / name / "net.prototxt")), settings)
    tested = [line for line in read_metrics(outcome.run.metrics) if line["event"] == "tested"]
    assert [line["iteration"] for line in tested] == [0, 2, 4]
    assert all(0 <= line["outputs"]["accuracy"] <= 1 for line in tested)
    (tmp_path / "x.png").write_bytes(encode_image(image))
    (answer,) = Predictor(outcome.run).predict([tmp_path / "x.png"])
    assert answer.outputs["softmax"].sum() == pytest.approx(1, abs=1e-4)
