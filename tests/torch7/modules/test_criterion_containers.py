"""Losses of losses."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError, NetworkError
from protonet.torch7.api import TorchCriterion, TorchModule
from protonet.torch7.objects import Table, TorchObject
from tests.torch7.modules.losses import differences, hold, layers_of
from tests.torch7.trees import call, nn, sequential

RANDOM = np.random.default_rng(5)
A, B, T, S = RANDOM.normal(size=(4, 6, 5))


def several(name: str, *arguments: object) -> TorchObject:
    """Squares, and 0.5 times absolute differences."""
    made = nn(name, *arguments)
    call(made, "add", nn("MSECriterion"))
    call(made, "add", nn("AbsCriterion"), 0.5)
    return made


def test_several_losses_of_one_input() -> None:
    made = several("MultiCriterion")
    assert made.fields["weights"].data.tolist() == [1, 0.5]
    hold(made, lambda a: ((a - T) ** 2).mean() + 0.5 * np.abs(a - T).mean(), [A], T)


def test_losses_of_losses() -> None:
    outer = nn("MultiCriterion")
    call(outer, "add", several("MultiCriterion"), 4)
    call(outer, "add", nn("L1Cost"), 0.25)
    hold(
        outer,
        lambda a: 4 * ((a - T) ** 2).mean() + 2 * np.abs(a - T).mean() + 0.25 * np.abs(a).sum(),
        [A],
        T,
    )


def test_a_loss_for_each_input() -> None:
    made = several("ParallelCriterion")
    assert made.fields["weights"] == {1: 1, 2: 0.5}
    hold(made, lambda a, b: ((a - T) ** 2).mean() + 0.5 * np.abs(b - S).mean(), [A, B], [T, S])


def test_a_target_for_all() -> None:
    made = several("ParallelCriterion", True)
    hold(made, lambda a, b: ((a - T) ** 2).mean() + 0.5 * np.abs(b - T).mean(), [A, B], T)


def test_auxiliary_classifiers_have_their_weight_and_their_accuracy() -> None:
    made = nn("ParallelCriterion", True)
    call(made, "add", nn("CrossEntropyCriterion"), 0.3)
    call(made, "add", nn("CrossEntropyCriterion"))
    net = layers_of(made, (6, 5), (6, 5), (6,), base=0)
    assert [spec.type for spec in net.specs] == ["SoftmaxWithLoss", "Accuracy"] * 2
    assert net.specs[0].loss_weight == [pytest.approx(0.3)]
    assert not net.specs[2].loss_weight


def test_modules_before_a_loss() -> None:
    linear = nn("Linear", 5, 5)
    weight, bias = linear.fields["weight"].array, linear.fields["bias"].array
    made = nn("ModuleCriterion", nn("MSECriterion"), nn("MulConstant", 3), sequential(linear))
    wanted = T @ weight.T + bias
    hold(made, lambda a: ((3 * a - wanted) ** 2).mean(), [A], T)
    net = layers_of(made, (6, 5), (6, 5))
    (inner,) = (spec for spec in net.specs if spec.type == "InnerProduct")
    assert [param.lr_mult for param in inner.param] == [0, 0]
    hold(nn("ModuleCriterion", nn("AbsCriterion")), lambda a: np.abs(a - T).mean(), [A], T)


def test_what_does_not_fit() -> None:
    with pytest.raises(LayerError, match=r"expected a criterion, got nn\.Linear"):
        call(nn("MultiCriterion"), "add", nn("Linear", 2, 3))
    with pytest.raises(LayerError, match="expected a module inside, got 3"):
        call(nn("ParallelCriterion"), "add", 3)
    with pytest.raises(NetworkError, match="has no criterion"):
        TorchCriterion(nn("MultiCriterion")).forward(A, T)
    with pytest.raises(
        NetworkError, match=r"table of targets, got a tensor\s+nn\.ParallelCriterion\(true\)"
    ):
        TorchCriterion(several("ParallelCriterion")).forward([A, B], T)
    made = several("ParallelCriterion")
    call(made, "add", nn("MSECriterion"))
    with pytest.raises(NetworkError, match="has 3 criterions, but 2 inputs and 3 targets"):
        TorchCriterion(made).forward([A, B], [T, T, T])


def test_a_sum_of_losses_as_a_module() -> None:
    table = nn("CriterionTable", several("MultiCriterion"))
    model = TorchModule(table, [A.shape, T.shape])
    loss = ((A - T) ** 2).mean() + 0.5 * np.abs(A - T).mean()
    assert model.forward(A, T).tolist() == [pytest.approx(loss, rel=1e-5)]
    da = model.backward(np.array([3]))[0]
    expected = differences(lambda a: 3 * ((a - T) ** 2).mean() + 1.5 * np.abs(a - T).mean(), [A], 0)
    np.testing.assert_allclose(da, expected, rtol=1e-4, atol=1e-6)
    with pytest.raises(
        LayerError, match=r"nn\.CriterionTable: expected a criterion, got nn\.Linear"
    ):
        nn("CriterionTable", nn("Linear", 2, 2))
    with pytest.raises(NetworkError, match="a table of input and target, got 3 tensors"):
        TorchModule(table, [A.shape] * 3)


@pytest.mark.parametrize("name", ["MultiCriterion", "ParallelCriterion"])
@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("criterions", 3, "criterions must be a table, got 3"),
        ("criterions", Table.of([3]), "expected a module inside, got 3"),
        ("weights", Table(), "expected a weight for each criterion"),
        ("weights", None, "nil|None"),
    ],
)
def test_fields_of_a_file_may_be_anything(
    name: str, field: str, value: object, message: str
) -> None:
    made = several(name)
    made.fields[field] = value
    inputs = A if name == "MultiCriterion" else [A, B]
    with pytest.raises(NetworkError, match=message):
        TorchCriterion(made).forward(inputs, T if inputs is A else [T, T])
