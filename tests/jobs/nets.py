"""Networks and helpers for the tests of jobs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from protonet.jobs.run.settings import RunSettings
from protonet.proto.text import NetDefinition, Source, read_net

SEED = """
layer { name: "scale" type: "Power" bottom: "data" top: "scale" power_param { scale: 0.004 } }
layer { name: "hidden" type: "InnerProduct" bottom: "scale" top: "output"
  inner_product_param { num_output: 2 } }
layer { name: "loss" type: "EuclideanLoss" bottom: "output" bottom: "label" top: "loss"
  exclude { stage: "deploy" } }
"""

RANDOM = """
name: "random"
layer { name: "data" type: "Data" top: "data" include { stage: "train" }
  transform_param { crop_size: 13 mirror: true } data_param { batch_size: 4 } }
layer { name: "data" type: "Data" top: "data" include { stage: "val" }
  transform_param { crop_size: 13 } data_param { batch_size: 5 } }
layer { name: "label" type: "Data" top: "label" include { stage: "train" }
  data_param { batch_size: 4 } }
layer { name: "label" type: "Data" top: "label" include { stage: "val" }
  data_param { batch_size: 5 } }
layer { name: "scale" type: "Power" bottom: "data" top: "scale" power_param { scale: 0.004 } }
layer { name: "ip1" type: "InnerProduct" bottom: "scale" top: "h"
  inner_product_param { num_output: 6 weight_filler { type: "xavier" } } }
layer { name: "relu" type: "ReLU" bottom: "h" top: "h" }
layer { name: "drop" type: "Dropout" bottom: "h" top: "h" }
layer { name: "ip2" type: "InnerProduct" bottom: "h" top: "output"
  inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "output" bottom: "label" top: "loss"
  exclude { stage: "deploy" } }
"""


def net_of(text: str, name: str = "net.prototxt") -> NetDefinition:
    return read_net(Source(name, text))


def settings_of(data: Path, out: Path | None, **more: Any) -> RunSettings:
    given: dict[str, Any] = {
        "labels": data / "train_labels",
        "val_data": data / "val_images",
        "val_labels": data / "val_labels",
        "epochs": 2.0,
        "out": out,
        **more,
    }
    return RunSettings(data / "train_images", **given)
