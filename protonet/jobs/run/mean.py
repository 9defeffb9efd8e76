"""The mean of a run: a file in its folder, copied in, and found again where the run was moved."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from protonet.data.transform import load_mean
from protonet.errors import UsageError
from protonet.formats.atomic import write_atomic
from protonet.formats.blobs import from_array
from protonet.jobs.run.directory import RunDirectory
from protonet.proto.caffe_pb2 import NetParameter


def copy_mean(source: Path, target: Path) -> None:
    """Copy a mean; one that NumPy wrote becomes a .binaryproto."""
    try:
        data = source.read_bytes()
    except OSError as error:
        raise UsageError(f"{source}: cannot be read: {error.strerror}") from error
    if source.suffix == ".npy":
        data = from_array(load_mean(source)[None]).SerializeToString()
    write_atomic(target, data)


def find_mean(run: RunDirectory, nets: Iterable[NetParameter]) -> None:
    """A mean that is no longer where it was is the run's own copy."""
    for net in nets:
        for layer in net.layer:
            mean = layer.transform_param.mean_file
            if mean and not Path(mean).exists() and run.mean.exists():
                layer.transform_param.mean_file = str(run.mean.resolve())
