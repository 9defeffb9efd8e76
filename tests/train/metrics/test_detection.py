"""Average precision of a detector over the passes of a test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from protonet.device import Device
from protonet.graph.net import Net
from protonet.graph.planning import plan_net
from protonet.proto.caffe_pb2 import TEST, SolverParameter
from protonet.solvers.mistakes import SolverError
from protonet.train.events import Output
from protonet.train.metrics import keeping_measured, meters_of
from protonet.train.metrics.coco import coco
from protonet.train.metrics.detection import (
    BoxCollector,
    DetectionMeter,
    curves_of_rows,
    detections_of,
)
from protonet.train.metrics.precision import mean
from protonet.train.metrics.voc import voc
from protonet.train.testing import TestPasses
from tests.jobs.nets import DETECTOR, net_of

DATA = """layer { name: "data" type: "AnnotatedData" top: "data" top: "label"
  data_param { source: "%s" batch_size: 5 } annotated_data_param { anno_type: BBOX } }
"""


def detector(shapes: Path, *, evaluated: bool = True, packed: bool = False) -> Net:
    text = DATA % (shapes / "val_images") + DETECTOR
    if not evaluated:
        text = text[: text.index('layer { name: "eval"')]
    plan = plan_net(net_of(text), phase=TEST)
    return Net(keeping_measured(plan), Device(), gradients=False, packed=packed, seed=3)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("evaluated", [False, True])
def test_the_figures_of_a_test_are_those_of_its_boxes(
    shapes: Path, evaluated: bool, packed: bool
) -> None:
    solver = SolverParameter(ap_version="11point", show_per_class_result=True)
    net = detector(shapes, evaluated=evaluated, packed=packed)
    tested = TestPasses(0, net, 2, losses=False, solver=solver).run(7, lambda: False)
    net.close()
    assert tested is not None
    name = "eval" if evaluated else "found"
    values = {output.name: output.value for output in tested.outputs}
    assert len(values) == len(tested.outputs)
    assert list(values)[:5] == [name, f"{name}/coco", *(f"{name}/class{n}" for n in (1, 2, 3))]

    net = detector(shapes, evaluated=evaluated)
    (detections,) = detections_of(net.plan)
    boxes = BoxCollector()
    for _ in range(2):
        net.forward()
        boxes.take(net, detections)
    net.close()
    found, truths = boxes.tables()
    assert boxes.images == 10
    assert len(truths) > 0
    result = voc(found, truths, difficult=True)
    each = [result.curve(label).average_precision("11point") for label in (1, 2, 3)]
    assert values[name] == pytest.approx(mean(each), abs=1e-6)
    assert values[f"{name}/class2"] == pytest.approx(each[1], abs=1e-6, nan_ok=True)
    assert values[f"{name}/coco"] == coco(found.clipped(), truths, (1, 2, 3)).mean_ap


def test_a_test_begins_anew(shapes: Path) -> None:
    net = detector(shapes)
    passes = TestPasses(0, net, 2, losses=False)
    first = passes.run(1, lambda: False)
    answers = iter([False, True])
    assert passes.run(2, lambda: next(answers)) is None
    net.forward()  # the data is at its begin again
    again = passes.run(3, lambda: False)
    net.close()
    assert first is not None
    assert again is not None
    assert first.outputs[0].value == again.outputs[0].value
    (meter,) = meters_of(net)
    assert isinstance(meter, DetectionMeter)
    assert meter.outputs([meter.counts()]) == []


def test_an_unknown_form_is_refused_before_a_test(shapes: Path) -> None:
    net = detector(shapes)
    with pytest.raises(SolverError, match="unknown ap_version '11'"):
        TestPasses(0, net, 1, losses=False, solver=SolverParameter(ap_version="11"))
    net.close()


def test_rows_of_several_passes() -> None:
    first: list[Any] = [
        [-1, 1, 2, -1, -1],
        [-1, 2, 1, -1, -1],
        [0, 1, 0.5, 1, 0],
        [0, 1, 0.4, 0, 1],
    ]
    second = [[-1, 1, 1, -1, -1], [-1, 2, 0, -1, -1], [0, 1, 0.9, 0, 0], [1, 1, 0.6, 1, 0]]
    one, two = curves_of_rows(np.array(first + second, np.float64), (1, 2))
    assert (one.objects, one.scores.tolist()) == (3, [0.6, 0.5, 0.4])
    assert one.right.tolist() == [True, True, False]
    assert one.average_precision("Integral") == pytest.approx(2 / 3)
    assert (two.objects, len(two.scores)) == (1, 0)
    assert Output("eval", one.average_precision("MaxIntegral")) == Output(
        "eval", pytest.approx(2 / 3)
    )
