"""A traced labelHook as layers: the target of the criterion."""

from __future__ import annotations

from collections.abc import Callable

from protonet.errors import LayerError
from protonet.torch7.builder import Blob, NetBuilder, Value
from protonet.torch7.lua.tracing import Hook, HookStep, Result
from protonet.torch7.modules.base import module_class
from protonet.torch7.objects import Table, TorchObject

_COMPARISONS = ("eq", "ne", "lt", "le", "gt", "ge")


def hooked(net: NetBuilder, hook: Hook | None, x: Blob, label: Blob) -> Value:
    """The target that a hook makes of the input and the label; without a hook, the label.

    Raises:
        NetworkError: for an operation that does not fit the shapes.
    """
    if hook is None or hook.is_label:
        return label
    with net.with_labels():
        values = [x, net.as_in_torch(label)]
        for step in hook.steps:
            values.append(_OPERATIONS[step.operation](net, step, [values[n] for n in step.inputs]))
        return _result(values, hook.result)


def _result(values: list[Blob], result: Result) -> Value:
    if isinstance(result, tuple):
        return [_result(values, each) for each in result]
    return values[result]


def _module(net: NetBuilder, name: str, fields: dict[str, object], x: Blob) -> Blob:
    """What a module of nn does with the blob."""
    made = module_class(f"nn.{name}")(TorchObject(f"nn.{name}", Table(fields)))
    result = net.add(made, x)
    assert isinstance(result, Blob)
    return result


def _select(net: NetBuilder, step: HookStep, given: list[Blob]) -> Blob:
    dimension, index = map(int, step.constants)
    _refuse_batch(dimension, "select")
    return _module(net, "Select", {"dimension": dimension, "index": index}, given[0])


def _narrow(net: NetBuilder, step: HookStep, given: list[Blob]) -> Blob:
    dimension, index, length = map(int, step.constants)
    _refuse_batch(dimension, "narrow")
    fields: dict[str, object] = {"dimension": dimension, "index": index, "length": length}
    return _module(net, "Narrow", fields, given[0])


def _refuse_batch(dimension: int, name: str) -> None:
    if dimension == 1:
        raise LayerError(f"labelHook: {name} of dimension 1 takes items out of the batch")


def _view(net: NetBuilder, step: HookStep, given: list[Blob]) -> Blob:
    """The first size is that of the batch, or -1 with all others given."""
    sizes = [int(size) for size in step.constants]
    inner = sizes[1:] if len(sizes) > 1 else []
    if sizes[0] == -1 and -1 not in inner:
        dims = [-1, *inner]
    elif sizes[0] == given[0].shape[0]:
        dims = [0, *inner]
    else:
        raise LayerError(
            f"labelHook: a view of {given[0]} must keep its first dimension, got "
            f"{'x'.join(map(str, sizes))}"
        )
    return net.layer("Reshape", given[0], reshape_param={"shape": {"dim": dims}})


def _compare(net: NetBuilder, step: HookStep, given: list[Blob]) -> Blob:
    fields: dict[str, object] = {"operation": step.operation.upper()}
    if step.constants:
        fields["value"] = step.constants[0]
    return net.layer("Compare", given, compare_param=fields)


def _add(net: NetBuilder, step: HookStep, given: list[Blob]) -> Blob:
    sign = -1 if step.operation == "sub" else 1
    if step.constants:
        return net.layer("Power", given[0], power_param={"shift": sign * step.constants[0]})
    return net.layer("Eltwise", given, eltwise_param={"operation": "SUM", "coeff": [1, sign]})


def _mul(net: NetBuilder, step: HookStep, given: list[Blob]) -> Blob:
    divides = step.operation == "div"
    if step.constants:
        factor = 1 / step.constants[0] if divides else step.constants[0]
        return net.layer("Power", given[0], power_param={"scale": factor})
    other = net.layer("Power", given[1], power_param={"power": -1}) if divides else given[1]
    return net.layer("Eltwise", [given[0], other], eltwise_param={"operation": "PROD"})


def _where(net: NetBuilder, step: HookStep, given: list[Blob]) -> Blob:
    """The constant where the mask is not 0: ``(1 - m) x + c m``."""
    mask, value = given
    one = net.layer("Compare", mask, compare_param={"operation": "NE", "value": 0})
    kept = net.layer("Power", one, power_param={"scale": -1, "shift": 1})
    rest = net.layer("Eltwise", [kept, value], eltwise_param={"operation": "PROD"})
    coefficients = [1, step.constants[0]]
    return net.layer(
        "Eltwise", [rest, one], eltwise_param={"operation": "SUM", "coeff": coefficients}
    )


def _clamp(net: NetBuilder, step: HookStep, given: list[Blob]) -> Blob:
    low, high = step.constants
    return net.layer("Clip", given[0], clip_param={"min": low, "max": high})


def _fill(net: NetBuilder, step: HookStep, given: list[Blob]) -> Blob:
    return net.layer("Power", given[0], power_param={"scale": 0, "shift": step.constants[0]})


def _pow(net: NetBuilder, step: HookStep, given: list[Blob]) -> Blob:
    return net.layer("Power", given[0], power_param={"power": step.constants[0]})


def _unary(net: NetBuilder, step: HookStep, given: list[Blob]) -> Blob:
    if step.operation == "sqrt":
        return net.layer("Power", given[0], power_param={"power": 0.5})
    kind = {"abs": "AbsVal", "exp": "Exp", "log": "Log"}[step.operation]
    return net.layer(kind, given[0])


_OPERATIONS: dict[str, Callable[[NetBuilder, HookStep, list[Blob]], Blob]] = {
    "select": _select,
    "narrow": _narrow,
    "view": _view,
    **dict.fromkeys(_COMPARISONS, _compare),
    **dict.fromkeys(("add", "sub"), _add),
    **dict.fromkeys(("mul", "div"), _mul),
    **dict.fromkeys(("abs", "sqrt", "exp", "log"), _unary),
    "where": _where,
    "clamp": _clamp,
    "fill": _fill,
    "pow": _pow,
}
