"""Objects have the version of their class."""

from __future__ import annotations

from protonet.torch7 import serial
from tests.torch7.trees import nn


def test_files_tell_the_version_of_nn() -> None:
    norm = serial.write(nn("SpatialBatchNormalization", 3))
    assert norm[8:15] == b"\x03\0\0\0V 2"
    assert serial.write(nn("Linear", 2, 2))[8:15] == b"\x03\0\0\0V 1"
