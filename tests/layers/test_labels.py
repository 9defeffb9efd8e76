"""Labels as the classification layers read them."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.testing import LayerHarness

SCORES = np.zeros((2, 3))


def read(labels: list[float], fields: str = "") -> None:
    text = f'name: "loss" type: "SoftmaxWithLoss" bottom: "x" bottom: "label" {fields}'
    LayerHarness(text, [SCORES, labels]).forward()


@pytest.mark.parametrize(
    ("labels", "shown", "hint"),
    [
        (
            [0, 3],
            "3",
            "labels count from 0; a label 3 needs at least 4 scores in every item, and one that "
            "stands for no class an ignore_label: 3",
        ),
        ([-1, 0], "-1", "labels count from 0"),
        ([np.nan, 0], "nan", "labels count from 0"),
    ],
)
def test_a_label_that_is_no_class_is_named(labels: list[float], shown: str, hint: str) -> None:
    with pytest.raises(LayerError) as caught:
        read(labels)
    assert str(caught.value) == (
        f"layer \"loss\" (SoftmaxWithLoss): label {shown} in 'label' is not one of the 3 classes "
        "0 to 2"
    )
    assert (caught.value.path, caught.value.hint) == (("bottom", 1), hint)


def test_the_label_to_ignore_need_not_be_a_class() -> None:
    read([255, 0], "loss_param { ignore_label: 255 }")
    with pytest.raises(LayerError, match="label 254 in"):
        read([255, 254], "loss_param { ignore_label: 255 }")


def test_fractions_are_cut_off_as_caffe_does() -> None:
    text = 'type: "Accuracy" bottom: "x" bottom: "label"'
    harness = LayerHarness(text, [np.eye(3), [0.9, 1.5, 2.0]])
    assert harness.forward()[0] == 1.0
