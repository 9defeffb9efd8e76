"""Copies of files in a run's folder: the mean is made, all are found again if the run was moved."""

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


def find_copies(run: RunDirectory, nets: Iterable[NetParameter]) -> None:
    """Replace paths of files that no longer exist by the run's own copies: the mean, the label map,
    the sizes of validation images.
    """
    copies = (
        ("transform_param", "mean_file", run.mean),
        ("annotated_data_param", "label_map_file", run.label_map),
        ("detection_evaluate_param", "name_size_file", run.name_sizes),
    )
    for net in nets:
        for layer in net.layer:
            for param, field, copy in copies:
                given = getattr(getattr(layer, param), field)
                if given and not Path(given).exists() and copy.exists():
                    setattr(getattr(layer, param), field, str(copy.resolve()))
