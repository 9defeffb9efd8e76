"""The names of Torch7's tensor types."""

from __future__ import annotations

from protonet.torch7.serial.codes import STORAGES, TENSORS


def test_the_types_that_torch_and_cutorch_define() -> None:
    assert TENSORS["torch.FloatTensor"] == "Float"
    assert TENSORS["torch.CudaTensor"] == "Cuda"
    assert STORAGES["torch.CudaHalfStorage"] == "CudaHalf"
    assert len(TENSORS) == len(STORAGES) == 16
