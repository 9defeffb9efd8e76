"""Memory planning: arrays live at one moment never overlap, and the arena is not too large."""

from __future__ import annotations

import random

from protonet.graph.packing import ALIGN, LiveRanges, TransientStorages, pack


def meet(one: LiveRanges, two: LiveRanges) -> bool:
    return any(a <= d and c <= b for a, b in one for c, d in two)


def test_arrays_that_meet_are_apart() -> None:
    rng = random.Random(5)
    for _ in range(200):
        count = rng.randrange(1, 25)
        sizes = [rng.choice([0, 1, 15, 16, 17, 300, rng.randrange(5000)]) for _ in range(count)]
        lives: list[LiveRanges] = []
        for _ in range(count):
            times = sorted(rng.sample(range(60), 4))
            spans: LiveRanges = ((times[0], times[1]), (times[2], times[3]))
            lives.append(spans[: rng.randrange(1, 3)])
        offsets, end = pack(sizes, lives)
        for a in range(count):
            assert offsets[a] % ALIGN == 0
            assert offsets[a] + sizes[a] <= end
            for b in range(a):
                if meet(lives[a], lives[b]):
                    assert (
                        offsets[a] + sizes[a] <= offsets[b] or offsets[b] + sizes[b] <= offsets[a]
                    )


def test_a_gap_between_two_spans_is_used() -> None:
    offsets, end = pack([128, 64, 64], [((0, 1), (8, 9)), ((3, 5),), ((4, 6),)])
    assert offsets[0] == 0
    assert end == 128


def test_nothing_takes_nothing() -> None:
    assert pack([], []) == ([], 0)


def test_what_a_step_needs_alone_is_one_storage_for_all_or_shared_over_time() -> None:
    asked = [(0, 10), (1, 30), (0, 20), (1, 5), (2, 1)]
    sizes = [7]
    storages = TransientStorages(sizes, share=False)
    assert [storages.place(*each) for each in asked] == [1, 2, 1, 2, 3]
    assert sizes == [7, 20, 30, 1]
    sizes = [7]
    storages = TransientStorages(sizes, share=True)
    assert [storages.place(*each) for each in asked] == [1, 2, 3, 4, 5]
    assert sizes == [7, 10, 30, 20, 5, 1]
