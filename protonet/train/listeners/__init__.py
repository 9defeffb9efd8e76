"""Listeners of a training's events: progress bar, logs, metrics, plots, callbacks."""

from protonet.train.listeners.caffe_log import CaffeLog
from protonet.train.listeners.early import EarlyStop
from protonet.train.listeners.keep import KeepNewest
from protonet.train.listeners.metrics import Metrics, figure, read_metrics
from protonet.train.listeners.plot import LossPlot
from protonet.train.listeners.progress import ProgressBar

__all__ = [
    "CaffeLog",
    "EarlyStop",
    "KeepNewest",
    "LossPlot",
    "Metrics",
    "ProgressBar",
    "figure",
    "read_metrics",
]
