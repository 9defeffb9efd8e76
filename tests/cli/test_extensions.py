"""Layers of users by --import, in every command that reads a network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

SOFTSIGN = """
from protonet.layers import Layer, register


@register("Softsign")
class Softsign(Layer):
    '''Squeezes every value: y = x / (1 + |x|).'''

    def infer(self, shapes):
        return [shapes[0]]

    def forward(self, bottoms, tops):
        self.xp.divide(bottoms[0], 1 + abs(bottoms[0]), out=tops[0])

    def backward(self, dtops, bottoms, tops, dbottoms):
        if dbottoms[0] is not None:
            self.xp.divide(dtops[0], (1 + abs(bottoms[0])) ** 2, out=dbottoms[0])
"""


def test_layers_of_users_are_listed_and_explained(protonet: Any, tmp_path: Path) -> None:
    (tmp_path / "softsign.py").write_text(SOFTSIGN)
    for module in ("softsign", "softsign.py"):
        listed = protonet("layers", "--import", module)
        assert listed.returncode == 0, listed.stderr
        assert listed.stdout.splitlines()[-1].split()[0] == "Softsign"
        assert "Squeezes every value" in listed.stdout
    shown = protonet("layers", "Softsign", "--import", "softsign")
    assert shown.stdout == "Squeezes every value: y = x / (1 + |x|).\n"


def test_a_module_that_is_not_there(protonet: Any) -> None:
    found = protonet("layers", "--import", "nowhere")
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr == (
        "error: module 'nowhere' cannot be imported: ModuleNotFoundError: No module named "
        "'nowhere'\n"
    )


def test_a_layer_of_a_user_trains_and_answers(protonet: Any, tmp_path: Path) -> None:
    (tmp_path / "softsign.py").write_text(SOFTSIGN)
    (tmp_path / "net.prototxt").write_text(
        'layer { name: "soft" type: "Softsign" bottom: "data" top: "soft" } '
        'layer { name: "out" type: "InnerProduct" bottom: "soft" top: "output" '
        "inner_product_param { num_output: 2 } } "
        'layer { name: "loss" type: "EuclideanLoss" bottom: "output" bottom: "label" top: "loss" '
        'exclude { stage: "deploy" } }'
    )
    assert protonet("create-db", "gradients", "d", "-x", 6, "-y", 5, "-c", 8).returncode == 0
    given = ["net.prototxt", "--data", "d/train_images", "--labels", "d/train_labels"]
    lost = protonet("train", *given, "--out", "run", "--epochs", 2)
    assert lost.returncode == 3
    assert "unknown layer type 'Softsign'" in lost.stderr
    assert "--import MODULE adds your own" in lost.stderr
    done = protonet("train", *given, "--out", "run", "--epochs", 2, "--import", "softsign")
    assert done.returncode == 0, done.stderr
    answer = protonet("infer", "run", "d/test.png", "--import", "softsign")
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.startswith("d/test.png: output = [")
