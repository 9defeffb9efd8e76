"""Definitions in processes of their own, hostile ones included."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from protonet.errors import NetworkError, UsageError
from protonet.proto.source import Source
from protonet.torch7.lua import running
from protonet.torch7.lua.child import answer
from protonet.torch7.lua.definition import Limits, Params
from protonet.torch7.lua.running import check, fine_tune, run
from protonet.torch7.modules.base import module_class
from protonet.torch7.objects import Function, TorchObject

GOLDEN = Path(__file__).parents[2] / "golden_torch7" / "trainings"


def values(model: TorchObject) -> np.ndarray:
    """All parameters, in Torch's order."""
    owners = module_class(model.typename)(model).parameters()
    return np.concatenate([owner.fields[name].array.reshape(-1) for owner, name in owners])


def refused(text: str, seconds: float = 10.0) -> str:
    with pytest.raises(NetworkError) as caught:
        run(Source("net.lua", text), limits=Limits(seconds, 2**27, 2**30))
    assert caught.value.exit_code == 3
    assert len(caught.value.mistakes) == 1
    return str(caught.value)


def test_the_seed_document() -> None:
    source = Source.read(GOLDEN / "regression" / "net.lua")
    found = run(source, Params((1, 50, 50)))
    assert found.model is not None
    inside = found.model.fields["modules"].sequence
    assert [each.typename for each in inside] == ["nn.MulConstant", "nn.View", "nn.Linear"]
    assert [each.line for each in (found.model, *inside, found.loss)] == [4, 5, 6, 7, 8]
    assert found.loss.typename == "nn.MSECriterion"
    weight = inside[2].fields["weight"]
    assert weight.storage.settle is not None  # nothing was drawn
    with np.load(GOLDEN / "regression" / "data.npz", allow_pickle=False) as data:
        np.testing.assert_array_equal(values(found.model), data["init"])


def test_options_hooks_and_the_log() -> None:
    text = """
        require 'nn'
        local net = nn.Linear(3, 2)
        return function(p)
            print('classes', p.nclasses)
            return {
                model = net, croplen = 28, trainBatchSize = 16, validationBatchSize = 8,
                disableAutoDataParallelism = true,
                labelHook = function(input, dblabel) return dblabel end,
                fineTuneHook = function(net) return net end,
            }
        end"""
    found = run(Source("net.lua", text), Params(classes=3))
    assert found.options == running.Options(28, 16, 8, True)
    assert found.log == ("classes\t3",)
    assert found.loss.typename == "nn.ClassNLLCriterion"
    assert found.label_hook is not None
    assert found.label_hook.is_label
    assert found.fine_tunes


def test_a_module_or_a_criterion_alone() -> None:
    assert run(Source("net.lua", "return nn.Linear(3, 2)")).model is not None
    found = run(Source("net.lua", "return function() return nn.MSECriterion() end"))
    assert (found.model, found.loss.typename) == (None, "nn.MSECriterion")


def test_values_that_the_definition_changes_cross() -> None:
    text = """
        local net = nn.Linear(3, 2)
        net.weight:copy(torch.range(1, 6))
        net.bias:fill(7)
        net.weight[{1, 2}] = net.bias:sum()
        net.accGradParameters = function() end
        return net"""
    found = run(Source("net.lua", text)).model
    assert found is not None
    assert found.fields["weight"].array.tolist() == [[1, 14, 3], [4, 5, 6]]
    assert found.fields["bias"].array.tolist() == [7, 7]
    assert isinstance(found.fields["accGradParameters"], Function)


def test_a_model_is_changed_by_the_fine_tune_hook() -> None:
    trained = run(Source("net.lua", "return nn.Sequential():add(nn.Linear(3, 2))")).model
    assert trained is not None
    text = """return function()
        local function tune(net)
            net:get(1).accGradParameters = function() end
            net:add(nn.Linear(2, 4))
            return net
        end
        return { model = nn.Sequential(), fineTuneHook = tune }
    end"""
    tuned = fine_tune(Source("net.lua", text), trained)
    first, second = tuned.fields["modules"].sequence
    before = trained.fields["modules"][1].fields
    assert np.abs(before["bias"].array).max() > 0
    for name in ("weight", "bias"):
        np.testing.assert_array_equal(first.fields[name].array, before[name].array)
    assert isinstance(first.fields["accGradParameters"], Function)
    assert second.fields["weight"].shape == (4, 2)
    assert np.abs(second.fields["weight"].array).max() > 0
    with pytest.raises(NetworkError, match="fineTuneHook returned nil; expected the model"):
        fine_tune(Source("net.lua", text.replace("return net\n", "\n")), trained)
    with pytest.raises(NetworkError, match="the definition has no fineTuneHook"):
        fine_tune(Source("net.lua", "return nn.Sequential()"), trained)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x = = 3", "net.lua:1:5: unexpected symbol near '='\n    x = = 3\n        ^"),
        (
            "local net = nn.Sequential()\nnet:add(nn.Liner(3, 2))",
            "net.lua:2:12: attempt to call field 'Liner' (a nil value): protonet has no nn.Liner; "
            "did you mean 'Linear'?\n    net:add(nn.Liner(3, 2))\n               ^",
        ),
        (
            "local net = nn.Sequential()\nnet:ad(nn.Linear(3, 2))",
            "net.lua:2:5: attempt to call method 'ad' (a nil value): nn.Sequential has no 'ad'; "
            "did you mean 'add'?",
        ),
        ("local t = torch.one(3)", "protonet has no torch.one; did you mean 'ones'?"),
        ("torch.ones(2):nunarrow(1, 1, 1)", "a tensor has no 'nunarrow'; did you mean 'narrow'?"),
        ("pirnt('x')", "attempt to call global 'pirnt' (a nil value); did you mean 'print'?"),
        ("os.exit(0)", "net.lua:1:1: attempt to index global 'os' (a nil value): definitions have"),
        ("return cudnn.ReLU()", "write require 'cudnn' before"),
        ("return 5", "the definition returns 5; expected a table with a model"),
        ("return function() end", "the definition returns nothing; expected a table such as"),
        ("return { net = 1 }", "the definition returns a table with net; expected model = ..."),
        ("return { model = 'x' }", "model is 'x'; expected a module of nn"),
        ("return { model = nn.MSECriterion() }", "model is nn.MSECriterion; expected a module"),
        ("return { model = nn.Linear(2, 2), loss = nn.Linear(2, 2) }", "expected a criterion"),
        ("return { model = nn.Linear(2, 2), croplen = 'x' }", "croplen is 'x'; expected a posit"),
        ("return { model = nn.Linear(2, 2), labelHook = 3 }", "labelHook is a number; expected a"),
        ("local function f() return f() + 1 end\nf()", "stack overflow"),
        ("local t = {} while true do t[#t + 1] = ('x'):rep(1e6) .. #t end", "not enough memory"),
        ("local n = nn.Sequential() return n:add(n)", "the model: modules are nested deeper than"),
        ("error('a\\nb')", "net.lua:1:1: a b\n"),
        ("error(('x'):rep(1e7))", "net.lua:1:1: xxx"),
        ("\x1bLuaQ", "net.lua: this is compiled Lua; expected its text"),
        ("", "the definition returns nothing"),
    ],
)
def test_mistakes(text: str, told: str) -> None:
    """In this process, which takes less time than one for each."""
    request = {"text": text, "params": asdict(Params()), "model": None}
    limits = Limits(10, 2**27, 2**30)
    with pytest.raises(NetworkError) as caught:
        check(answer(request, [], limits)[0], Source("net.lua", text))
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "local net = nn.Sequential()\nnet:add(nn.Liner(3, 2))",
            "net.lua:2:12: attempt to call field 'Liner' (a nil value): protonet has no nn.Liner; "
            "did you mean 'Linear'?\n    net:add(nn.Liner(3, 2))\n               ^",
        ),
        ("local function f() return f() + 1 end\nf()", "stack overflow"),
        ("local t = {} while true do t[#t + 1] = ('x'):rep(1e6) .. #t end", "not enough memory"),
        ("torch.ones(2^33):sum()", "net.lua:1:1: not enough memory for tensors"),
        (
            "local n = nn.Linear(1, 1) for i = 1, 5 do n[i] = ('x'):rep(2^24 - i) end return n",
            "net.lua: the fields of its modules have more than 64 MiB of text",
        ),
    ],
)
def test_mistakes_of_the_process(text: str, told: str) -> None:
    assert told in refused(text)


def test_an_endless_loop_ends_in_time() -> None:
    start = time.perf_counter()
    told = refused("local x = 0\nwhile true do\n  x = x + 1\nend", 0.5)
    assert "the definition runs for more than 0.5 seconds" in told
    assert "net.lua:" in told
    assert time.perf_counter() - start < 20


@pytest.mark.parametrize(
    "text",
    [
        "while true do pcall(function() while true do end end) end",
        "string.find(('a'):rep(3e4), ('a*'):rep(20) .. 'b')",
    ],
)
def test_what_catches_errors_or_runs_in_c_ends_in_time(text: str) -> None:
    start = time.perf_counter()
    assert "the definition runs for more than 0.5 seconds" in refused(text, 0.5)
    assert time.perf_counter() - start < 20


def test_nothing_is_imported_from_the_folder_where_somebody_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lupa.py").write_text("raise SystemExit(9)")
    monkeypatch.chdir(tmp_path)
    assert run(Source("net.lua", "return nn.Linear(3, 2)")).model is not None


def test_without_lupa_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = b'{"missing": "lupa", "arrays": []}\n'
    monkeypatch.setattr(running, "_ask", lambda *_: answer)
    with pytest.raises(UsageError, match=r'pip install "protonet\[torch7\]"'):
        run(Source("net.lua", "return nn.Linear(3, 2)"))
