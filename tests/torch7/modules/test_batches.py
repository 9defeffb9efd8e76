"""A net that was translated at one batch size computes the same at any other."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from protonet.device import Device
from protonet.graph.net import Net
from protonet.graph.planning import plan_net
from protonet.proto.caffe_pb2 import TRAIN
from protonet.proto.source import Source
from protonet.torch7.api import TorchModule
from protonet.torch7.builder import Blob
from protonet.torch7.network import builder, flat, inputs_of, translate, with_inputs
from protonet.torch7.objects import Table, Tensor, TorchObject
from tests.torch7.modules.computing import inputs
from tests.torch7.trees import call, nn, sequential


def tables(*after: TorchObject) -> TorchObject:
    """Two linear modules on the input, and modules on their outputs."""
    both = nn("ConcatTable")
    for _ in range(2):
        call(both, "add", nn("Linear", 5, 3))
    return sequential(both, *after)


def add(made: TorchObject, *inside: TorchObject) -> TorchObject:
    for each in inside:
        call(made, "add", each)
    return made


CASES: dict[str, tuple[Callable[[], TorchObject], tuple[int, ...]]] = {
    "view": (lambda: nn("View", 60), (3, 4, 5)),
    "view of all": (lambda: call(nn("View", -1), "setNumInputDims", 3), (3, 4, 5)),
    "view of parts": (lambda: call(nn("View", 2, 10), "setNumInputDims", 2), (3, 4, 5)),
    "view of rows": (lambda: nn("View", -1, 5), (3, 5)),
    "reshape": (lambda: nn("Reshape", 5, 12), (3, 4, 5)),
    "reshape of a batch": (lambda: nn("Reshape", 15, True), (3, 5)),
    "infer": (lambda: nn("InferReshape", 0, -1, True), (3, 4, 5)),
    "transpose": (lambda: nn("Transpose", Table.of([2, 3])), (3, 4, 5)),
    "squeeze": (lambda: nn("Squeeze", 2), (1, 5)),
    "squeeze of items": (lambda: nn("Squeeze", None, 3), (1, 5, 1)),
    "unsqueeze": (lambda: nn("Unsqueeze", 1), (3,)),
    "unsqueeze of items": (lambda: nn("Unsqueeze", 1, 1), (3,)),
    "collapse": (lambda: nn("Collapse", 2), (3, 4)),
    "select": (lambda: nn("Select", 2, -1), (3, 4)),
    "narrow": (lambda: nn("Narrow", 2, 2, -2), (4, 3)),
    "padding": (lambda: nn("Padding", 1, -2, 2, 7), (3, 4)),
    "replicate": (lambda: nn("Replicate", 3, 1, 1), (4,)),
    "replicate all": (lambda: nn("Replicate", 3), (4,)),
    "sum": (lambda: nn("Sum", 1, 2, True), (4, 5)),
    "sum of items": (lambda: nn("Sum", 2, None, False, False), (4, 5)),
    "max": (lambda: nn("Max", 2), (4, 5)),
    "bottle": (lambda: nn("Bottle", nn("Linear", 5, 3)), (4, 2, 5)),
    "concat": (lambda: add(nn("Concat", 2), nn("Linear", 5, 3), nn("Linear", 5, 2)), (5,)),
    "parallel": (
        lambda: add(nn("Parallel", 2, 2), nn("Linear", 5, 3), nn("Linear", 5, 2)),
        (2, 5),
    ),
    "join": (lambda: tables(nn("JoinTable", 1, 1)), (5,)),
    "join items": (lambda: tables(nn("JoinTable", 1)), (5,)),
    "split": (lambda: sequential(nn("SplitTable", 1, 2), nn("CMulTable")), (3, 4)),
    "minimum": (lambda: tables(nn("CMinTable")), (5,)),
    "quotient": (lambda: tables(nn("CDivTable")), (5,)),
    "matrices": (
        lambda: sequential(
            add(nn("ConcatTable"), nn("Identity"), nn("Identity")), nn("MM", False, True)
        ),
        (4, 3),
    ),
    "mixture": (
        lambda: sequential(
            add(nn("ConcatTable"), nn("Linear", 5, 2), tables()), nn("MixtureTable")
        ),
        (5,),
    ),
    "constant": (
        lambda: nn("Constant", Tensor.of(np.arange(6).reshape(2, 3)), 1),
        (5,),
    ),
    "convert": (lambda: nn("Convert", "bchw", "bwhc"), (2, 3, 4)),
    "convert to rows": (lambda: nn("Convert", "bchw", "bf"), (2, 3, 4)),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("batch", [3, 1])
def test_batches_of_other_sizes(name: str, batch: int) -> None:
    make, item = CASES[name]
    model = make()
    net = builder(Source("n", ""))
    made = translate(model, inputs_of(net, [(4, *item)]), net)
    (x,) = inputs((batch, *item))
    definition = with_inputs(made, Blob("input", x.shape))
    ran = Net(plan_net(definition, phase=TRAIN), Device())
    ran.load(made.weights(), name)
    ran.inputs["input"].data[...] = x
    ran.forward()
    (blob,) = flat(made.outputs)
    found = np.array(ran.blobs[blob.name].data)
    (large,) = inputs((4, *item))
    large[:batch] = x
    whole = TorchModule(model, [(4, *item)]).forward(large)
    if name in ("replicate all", "unsqueeze"):  # the batch is the second axis
        whole = whole[:, :batch]
    elif name == "join items":
        whole = np.concatenate([whole[:batch], whole[4 : 4 + batch]])
    elif name.startswith("bottle"):
        whole = whole[:batch]
    np.testing.assert_allclose(found, whole[: len(found)], rtol=1e-5, atol=1e-6)
    assert found.shape[1:] == whole.shape[1:]
