"""A disk that is full, and small nets with weights."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from protonet.formats.blobs import from_array
from protonet.proto.caffe_pb2 import NetParameter

FULL_DISK_BYTES = 64 * 2**10


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a file system of 64 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    if mount is None:
        pytest.skip("mounting a small file system needs mount")
    made = subprocess.run(
        [mount, "-t", "tmpfs", "-o", f"size={FULL_DISK_BYTES}", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
    )
    if made.returncode:
        pytest.skip(f"mounting a small file system is not permitted: {made.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def small_net() -> NetParameter:
    """Two layers with weights, one of which lends a parameter to the other, and one without."""
    rng = np.random.default_rng(3)
    net = NetParameter(name="small")
    first = net.layer.add(name="pair/left", type="InnerProduct")
    first.param.add(name="shared")
    shared = rng.normal(size=(3, 5)).astype(np.float32)
    first.blobs.extend([from_array(shared), from_array(rng.normal(size=3).astype(np.float32))])
    net.layer.add(name="act", type="TanH")
    second = net.layer.add(name="pair/right", type="InnerProduct")
    second.param.add(name="shared")
    second.blobs.extend([from_array(shared), from_array(rng.normal(size=3).astype(np.float32))])
    return net
