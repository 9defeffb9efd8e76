"""Models that begin with given weights; tests of trainings are beside the snapshots."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from protonet.jobs.reading.beginning import begun
from protonet.proto.source import Source
from protonet.torch7 import serial
from protonet.torch7.lua.definition import Definition, Params
from protonet.torch7.objects import Tensor
from tests.torch7.trees import nn

SOURCE = Source("net.lua", "")


def test_a_vector_becomes_the_parameters_and_other_files_are_left(tmp_path: Path) -> None:
    flat, model = tmp_path / "flat.t7", tmp_path / "model.t7"
    serial.save(flat, Tensor.of(np.arange(8.0)))
    serial.save(model, nn("Linear", 3, 2))
    made = nn("Linear", 3, 2)
    definition = Definition(made, nn("MSECriterion"))
    files = [str(flat), str(model), str(tmp_path / "none.caffemodel")]
    begin, taken = begun(SOURCE, definition, files, Params(), (3,))
    assert begin is made
    assert taken == (str(flat),)
    assert made.fields["bias"].array.tolist() == [6, 7]
