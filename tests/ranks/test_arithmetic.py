"""Two ranks and one have the same weights, whatever the update rule."""

from __future__ import annotations

from pathlib import Path

from protonet.solvers.update_rule import rule_names
from tests.ranks.agreement import agree, digits

NET = """
layer { name: "data" type: "Data" top: "data" top: "label" include { phase: TRAIN }
  data_param { source: "train_db" batch_size: 9 shuffle: true } transform_param { scale: 0.06 } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  param { lr_mult: 1 } param { lr_mult: 2 decay_mult: 0 }
  convolution_param { num_output: 5 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "tanh" type: "TanH" bottom: "conv" top: "conv" }
layer { name: "score" type: "InnerProduct" bottom: "conv" top: "score"
  inner_product_param { num_output: 10 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" top: "loss" }
"""
FIELDS = {
    "AdaDelta": "base_lr: 1 momentum: 0.95 delta: 1e-6",
    "Adam": "base_lr: 0.001 momentum: 0.9 momentum2: 0.999",
    "AdamW": "base_lr: 0.001 momentum: 0.9 momentum2: 0.999",
    "AdaGrad": "base_lr: 0.01",
    "RMSProp": "base_lr: 0.001 rms_decay: 0.98",
}
"""Of rules that do not take those of SGD."""
SOLVER = """
net: "net.prototxt" type: "%s" %s weight_decay: 0.0005 lr_policy: "fixed"
iter_size: 3 clip_gradients: 0.5 max_iter: 25 snapshot_prefix: "net" random_seed: 3
"""


def test_every_update_rule_agrees(tmp_path: Path) -> None:
    """With iter_size, and with clipping by the norm of the whole gradient, which is above it."""
    usual = "base_lr: 0.05 momentum: 0.9"
    given = {rule: FIELDS.get(rule.removeprefix("Torch"), usual) for rule in rule_names()}
    solvers = {rule: SOLVER % (rule, each) for rule, each in given.items()}
    folder = digits(tmp_path, NET, **solvers)
    agree(folder, {}, ranks=(2,), atol=2e-5, names=list(solvers), iterations=25)
