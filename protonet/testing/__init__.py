"""What holds a layer to its contract: for our own layers, and for anyone who writes one.

``check_layer`` holds a layer to all of it; ``check_pure`` to what comes before its passes.
``check_gradients`` compares a layer with finite differences, ``check_golden`` with what Caffe
computed, ``check_devices`` one processor with the other; ``check_steady`` sees that it allocates
nothing; ``check_fused`` compares layers that are computed together with the same ones alone. They
fail with AssertionError.
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
