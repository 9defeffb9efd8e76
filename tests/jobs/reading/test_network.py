"""A text is prototxt or Lua, told by what it is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from protonet.errors import NetworkError
from protonet.jobs.definitions.inputs import InputOptions
from protonet.jobs.reading.data_shapes import DataShapes
from protonet.jobs.reading.network import read_definition, shapes_of, shapes_of_inputs
from protonet.jobs.run.settings import RunSettings
from protonet.proto.source import Source

LUA = "return function(p)\n  return { model = nn.Linear(7, 2), loss = nn.MSECriterion() }\nend\n"


def test_the_name_does_not_matter() -> None:
    lua = read_definition(Source("net.prototxt", LUA), DataShapes(inputs={"data": (4, 7)}))
    assert [layer.type for layer in lua.net.layer] == [
        "Input",
        "Input",
        "InnerProduct",
        "EuclideanLoss",
    ]
    text = 'layer { name: "a" type: "ReLU" bottom: "data" top: "a" }'
    assert read_definition(Source("net.lua", text)).net.layer[0].type == "ReLU"


def test_a_mistake_points_into_the_lua_text() -> None:
    with pytest.raises(NetworkError) as caught:
        read_definition(Source("net.lua", LUA), DataShapes(inputs={"data": (4, 8)}))
    (mistake,) = caught.value.mistakes
    assert (mistake.file, mistake.line) == ("net.lua", 2)
    assert mistake.message == "nn.Linear: expected vectors of 7, got 4x8"


def test_what_a_command_and_a_training_tell() -> None:
    given = InputOptions(inputs={"data": (4, 7), "label": (4, 3)}, batch_size=9)
    told = shapes_of_inputs(given)
    assert (told.inputs, told.batch_size, told.gives_vectors) == (given.inputs, 9, True)
    settings = RunSettings(Path("db"), labels=Path("l"), seed=3, device="cuda:1")
    told = shapes_of(settings)
    assert (told.data, told.labels, told.seed, told.gpus) == (Path("db"), Path("l"), 3, 1)
    assert not told.validates
    assert told.gives_vectors


def test_prototxt_imports_no_torch7() -> None:
    code = (
        "import sys\nfrom protonet.proto.source import Source\n"
        "from protonet.jobs.reading.network import read_definition\n"
        'read_definition(Source(\'n\', \'layer { name: "a" type: "Input" top: "a" }\'))\n'
        "sys.exit(any('torch7' in name for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
