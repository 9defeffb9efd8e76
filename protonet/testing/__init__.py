"""Checks of the layer contract: for the layers here, and for your own.

``check_layer`` checks all of it; ``check_pure`` what comes before the passes.
``check_gradients`` compares a layer with finite differences, ``check_golden`` with what Caffe
computed, ``check_devices`` one device with another, ``check_fused`` fused layers with the same
ones unfused; ``check_steady`` checks that a pass allocates nothing. They fail with AssertionError.
``LayerHarness`` runs a layer alone.
"""

from protonet.testing.checks import assert_close, check_devices, check_golden, check_steady
from protonet.testing.fusing import check_fused
from protonet.testing.gradients import check_gradients
from protonet.testing.harness import LayerHarness, parse_layer
from protonet.testing.layers import check_layer, check_pure

__all__ = [
    "LayerHarness",
    "assert_close",
    "check_devices",
    "check_fused",
    "check_golden",
    "check_gradients",
    "check_layer",
    "check_pure",
    "check_steady",
    "parse_layer",
]
