from __future__ import annotations

import pytest

from protonet.formats.scale import Scale


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([0.0, 1.0], ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        ([0.0, 4.0], ["0.0", "0.5", "1.0", "1.5", "2.0", "2.5", "3.0", "3.5", "4.0"]),
        ([0.0, 2.0], ["0.00", "0.25", "0.50", "0.75", "1.00", "1.25", "1.50", "1.75", "2.00"]),
        ([-30.0, 60.0], ["-20", "0", "20", "40", "60"]),
        ([0.0, 200000.0], [f"{25000 * each}" for each in range(9)]),
        ([2.0, 3.0], ["2.0", "2.2", "2.4", "2.6", "2.8", "3.0"]),
        ([1e-6, 3e-6], ["1e-06", "1.25e-06", "1.5e-06", "1.75e-06", "2e-06", "2.25e-06",
                        "2.5e-06", "2.75e-06", "3e-06"]),
        ([0.0, 2e9], ["0", "2.5e+08", "5e+08", "7.5e+08", "1e+09", "1.25e+09", "1.5e+09",
                      "1.75e+09", "2e+09"]),
        ([0.01], ["0.0096", "0.0098", "0.0100", "0.0102", "0.0104"]),
        ([0.0], ["-0.04", "-0.02", "0.00", "0.02", "0.04"]),
        ([], ["-0.04", "-0.02", "0.00", "0.02", "0.04"]),
    ],
)  # fmt: skip
def test_even_ticks(values: list[float], texts: list[str]) -> None:
    scale = Scale.around(values)
    ticks = scale.ticks()
    assert [text for _, text in ticks] == texts
    assert [value for value, _ in ticks] == pytest.approx([float(text) for text in texts])
    assert scale.between() == []


@pytest.mark.parametrize(
    ("values", "texts", "between"),
    [
        ([0.02, 1.0], ["0.02", "0.05", "0.1", "0.2", "0.5", "1"], 16),
        ([1e-4, 10.0], ["0.0001", "0.001", "0.01", "0.1", "1", "10"], 44),
        ([1e-20, 1.0], [f"1e-{each:02}" for each in (21, 18, 15, 12, 9, 6)] + ["0.001", "1"], 0),
    ],
)
def test_ticks_of_logarithms(values: list[float], texts: list[str], between: int) -> None:
    scale = Scale.around(values, is_log=True)
    assert [text for _, text in scale.ticks()] == texts
    assert [value for value, _ in scale.ticks()] == pytest.approx([float(text) for text in texts])
    assert len(scale.between()) == between
    assert all(0 <= scale.share(value) <= 1 for value in scale.between())


def test_shares_leave_a_margin() -> None:
    even = Scale.around([3.0, 1.0, 5.0])
    assert [even.share(each) for each in (1.0, 3.0, 5.0)] == pytest.approx([1 / 22, 0.5, 21 / 22])
    of_logs = Scale.around([1.0, 100.0], is_log=True)
    assert [of_logs.share(each) for each in (1.0, 10.0)] == pytest.approx([1 / 22, 0.5])


def test_a_value_that_hardly_changes_is_drawn_flat() -> None:
    """Its texts have six digits, so that they have room."""
    scale = Scale.around([0.6931471, 0.6931472])
    assert 0.49 < scale.share(0.6931471) < scale.share(0.6931472) < 0.51
    assert max(len(text) for _, text in scale.ticks()) <= 8


@pytest.mark.parametrize("is_log", [False, True])
@pytest.mark.parametrize("values", [[1e308], [5e-324], [5e-324, 1e-320], [5e-324, 1.7e308]])
def test_the_greatest_and_the_least_numbers_have_places(values: list[float], is_log: bool) -> None:
    scale = Scale.around(
        [*values, *([] if is_log else [-value for value in values])], is_log=is_log
    )
    assert all(0 < scale.share(value) < 1 for value in values)
    assert len(scale.ticks()) <= 10
