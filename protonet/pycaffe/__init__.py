"""The API of Caffe's Python module: ``import protonet.pycaffe as caffe`` runs existing scripts."""

from protonet.layers import layer_types as layer_type_list
from protonet.layers.python_api import Blob, Layer
from protonet.proto.caffe_pb2 import TEST, TRAIN
from protonet.pycaffe import coord_map, draw, io, proto
from protonet.pycaffe.classifier import Classifier
from protonet.pycaffe.detector import Detector
from protonet.pycaffe.mode import (
    init_log,
    log,
    set_device,
    set_mode_cpu,
    set_mode_gpu,
    set_random_seed,
)
from protonet.pycaffe.net import Net
from protonet.pycaffe.net_spec import NetSpec, layers, params, to_proto
from protonet.pycaffe.parallel import (
    NCCL,
    has_nccl,
    set_multiprocess,
    set_solver_count,
    set_solver_rank,
    solver_count,
    solver_rank,
)
from protonet.pycaffe.solver import (
    AdaDeltaSolver,
    AdaGradSolver,
    AdamSolver,
    NesterovSolver,
    RMSPropSolver,
    SGDSolver,
    get_solver,
)
from protonet.pycaffe.timer import Timer

__version__ = "1.0.0"
"""The version of Caffe whose module this one stands for."""

__all__ = [
    "NCCL",
    "TEST",
    "TRAIN",
    "AdaDeltaSolver",
    "AdaGradSolver",
    "AdamSolver",
    "Blob",
    "Classifier",
    "Detector",
    "Layer",
    "NesterovSolver",
    "Net",
    "NetSpec",
    "RMSPropSolver",
    "SGDSolver",
    "Timer",
    "__version__",
    "coord_map",
    "draw",
    "get_solver",
    "has_nccl",
    "init_log",
    "io",
    "layer_type_list",
    "layers",
    "log",
    "params",
    "proto",
    "set_device",
    "set_mode_cpu",
    "set_mode_gpu",
    "set_multiprocess",
    "set_random_seed",
    "set_solver_count",
    "set_solver_rank",
    "solver_count",
    "solver_rank",
    "to_proto",
]
