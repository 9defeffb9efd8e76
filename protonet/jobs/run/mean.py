"""The mean file of a run: copied into its folder, and found again if the run was moved."""

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
    """Copy a mean file; a .npy is converted to .binaryproto."""
    try:
        data = source.read_bytes()
    except OSError as error:
        raise UsageError(f"{source}: cannot be read: {error.strerror}") from error
    if source.suffix == ".npy":
        data = from_array(load_mean(source)[None]).SerializeToString()
    write_atomic(target, data)


def find_mean(run: RunDirectory, nets: Iterable[NetParameter]) -> None:
    """Replace the path of a mean that no longer exists by the run's own copy."""
    for net in nets:
        for layer in net.layer:
            mean = layer.transform_param.mean_file
            if mean and not Path(mean).exists() and run.mean.exists():
                layer.transform_param.mean_file = str(run.mean.resolve())
