"""What a definition returned, checked and in the form in which it crosses to another process."""

from __future__ import annotations

from typing import Any

from protonet.errors import LayerError
from protonet.torch7.lua.bridge import LuaFunction
from protonet.torch7.lua.inherited import lua_type
from protonet.torch7.lua.state import LuaMistakeError, State
from protonet.torch7.lua.tracing import (
    INPUT,
    LABEL,
    Hook,
    HookStep,
    Result,
    Trace,
    Traced,
    result_of,
)
from protonet.torch7.models import objects_in, size_mistake
from protonet.torch7.modules.base import Criterion, create, module_class
from protonet.torch7.objects import Table, TorchObject
from protonet.torch7.tensors.base import describe

Json = dict[str, Any]

_NUMBERS = {
    "croplen": "crop_length",
    "trainBatchSize": "train_batch_size",
    "validationBatchSize": "validation_batch_size",
}
_COMPUTING = ("updateOutput", "forward", "backward")
"""Methods that a definition cannot replace, since Lua does not run in a training."""


def returned(state: State, value: Any) -> Table:
    """The table that a definition returned; of a module a table with it.

    Raises:
        LuaMistakeError: when it returned something else.
    """
    if isinstance(value, TorchObject):
        value = Table({"loss" if _is_criterion(value) else "model": value})
    if value is None:
        raise state.mistake(
            "the definition returns nothing; expected a table such as { model = net }"
        )
    if not isinstance(value, Table):
        raise state.mistake(
            f"the definition returns {describe(value)}; expected a table with a model"
        )
    for name in ("model", "loss"):
        _check_module(state, name, value.get(name))
    if "model" not in value and "loss" not in value:
        keys = ", ".join(str(key) for key in value) or "nothing"
        raise state.mistake(f"the definition returns a table with {keys}; expected model = ...")
    return value


def _is_criterion(value: TorchObject) -> bool:
    return issubclass(module_class(value.typename), Criterion)


def _check_module(state: State, name: str, value: Any) -> None:
    what = "criterion" if name == "loss" else "module"
    if value is None:
        return
    if not isinstance(value, TorchObject):
        raise state.mistake(f"{name} is {describe(value)}; expected a {what} of nn")
    if _is_criterion(value) != (name == "loss"):
        raise LuaMistakeError(f"{name} is {value.typename}; expected a {what}", value.line)
    mistake = size_mistake(value)
    if mistake is not None:
        raise LuaMistakeError(f"the {name}: {mistake}", value.line)
    for each in objects_in(value):
        for field in _COMPUTING:
            own = each.fields.get(field)
            if isinstance(own, LuaFunction):
                told = f"{each.typename}: {field} is a function of the definition; Lua only builds"
                raise LuaMistakeError(told, state.begin_of(own))


def options_of(state: State, table: Table) -> Json:
    """The settings of DIGITS in a table."""
    found: Json = {}
    for name, ours in _NUMBERS.items():
        value = table.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise state.mistake(f"{name} is {describe(value)}; expected a positive whole number")
        found[ours] = value
    found["disable_auto_data_parallelism"] = bool(table.get("disableAutoDataParallelism"))
    return found


def loss_of(state: State, table: Table) -> TorchObject:
    """The criterion; ``nn.ClassNLLCriterion`` by default."""
    loss = table.get("loss")
    if isinstance(loss, TorchObject):
        return loss
    return create("nn.ClassNLLCriterion", (), state.calls.session)


def hook_of(state: State, table: Table, name: str) -> LuaFunction | None:
    """A function in the table."""
    hook = table.get(name)
    if hook is None or isinstance(hook, LuaFunction):
        return hook
    raise state.mistake(f"{name} is a {lua_type(hook)}; expected a function")


def traced(state: State, hook: LuaFunction) -> Hook:
    """The array operations of a ``labelHook``.

    Raises:
        LuaMistakeError: for a hook that needs values, with the reason.
    """
    trace = Trace()
    found = state.call(hook, Traced(trace, INPUT), Traced(trace, LABEL))
    try:
        return Hook(tuple(trace.steps), result_of(found))
    except LayerError as error:
        raise LuaMistakeError(str(error), state.first_line(hook)) from None


def hook_to_json(hook: Hook) -> Json:
    """A hook in JSON."""
    steps = [[step.operation, step.inputs, step.constants] for step in hook.steps]
    return {"steps": steps, "result": hook.result}


def hook_from_json(form: Json) -> Hook:
    """The hook of ``hook_to_json``."""
    steps = (HookStep(name, tuple(inputs), tuple(given)) for name, inputs, given in form["steps"])
    return Hook(tuple(steps), _tupled(form["result"]))


def _tupled(value: Any) -> Result:
    return value if isinstance(value, int) else tuple(_tupled(each) for each in value)


def tuned(state: State, table: Table, model: TorchObject) -> TorchObject:
    """The model that a definition's ``fineTuneHook`` returns for this one."""
    hook = hook_of(state, table, "fineTuneHook")
    if hook is None:
        raise state.mistake("the definition has no fineTuneHook")
    found = state.call(hook, model)
    if not isinstance(found, TorchObject) or _is_criterion(found):
        line, told = state.first_line(hook), describe(found)
        raise LuaMistakeError(f"fineTuneHook returned {told}; expected the model", line)
    return found
