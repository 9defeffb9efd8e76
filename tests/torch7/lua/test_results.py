"""What a definition may return."""

from __future__ import annotations

import pytest

from protonet.torch7.lua.definition import Limits, Params
from protonet.torch7.lua.results import loss_of, options_of, returned
from protonet.torch7.lua.state import LuaMistakeError, State


def results(text: str) -> tuple[State, object]:
    state = State(Params(), Limits())
    return state, returned(state, state.run(text))


def test_options() -> None:
    state, table = results("return { model = nn.Linear(2, 3), croplen = 5, trainBatchSize = 7 }")
    assert options_of(state, table) == {
        "crop_length": 5,
        "train_batch_size": 7,
        "disable_auto_data_parallelism": False,
    }
    assert loss_of(state, table).typename == "nn.ClassNLLCriterion"


def test_a_module_alone_is_the_model() -> None:
    _, table = results("return nn.Linear(2, 3)")
    assert table["model"].typename == "nn.Linear"


@pytest.mark.parametrize("value", ["-1", "0", "2.5", "true", "{}"])
def test_sizes_are_positive_whole_numbers(value: str) -> None:
    state, table = results(f"return {{ model = nn.Linear(2, 3), validationBatchSize = {value} }}")
    with pytest.raises(LuaMistakeError, match="validationBatchSize is") as caught:
        options_of(state, table)
    assert caught.value.line == 1


@pytest.mark.parametrize("name", ["updateOutput", "forward", "backward"])
def test_what_computes_in_lua_is_refused(name: str) -> None:
    text = f"""
        local net = nn.Sequential():add(nn.Identity())
        net.modules[1].{name} = function(self, x)
            return x
        end
        return net"""
    with pytest.raises(LuaMistakeError, match=f"nn.Identity: {name} is a function of") as caught:
        results(text)
    assert caught.value.line == 3


def test_gradients_may_be_left_out() -> None:
    results("local n = nn.Linear(2, 2) n.accGradParameters = function() end return n")
    results("local n = nn.Linear(2, 2) n.updateGradInput = function() end return n")
