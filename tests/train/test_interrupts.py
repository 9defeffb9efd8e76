"""Signals and what they do to a training."""

from __future__ import annotations

import signal

import pytest

from protonet.train.interrupts import Interrupts


class Training:
    """Notes what is asked of it."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def stop(self) -> None:
        self.asked.append("stop")

    def request_snapshot(self) -> None:
        self.asked.append("snapshot")


def send(number: int = signal.SIGINT) -> None:
    signal.raise_signal(number)


def test_the_first_one_stops_and_says_so_and_the_second_aborts(
    capfd: pytest.CaptureFixture[str],
) -> None:
    training = Training()
    with Interrupts() as interrupts:
        interrupts.watch(training)
        send()
        assert training.asked == ["stop"]
        said = capfd.readouterr().err
        assert "stopping after this iteration" in said
        assert "Ctrl-C again aborts" in said
        with pytest.raises(KeyboardInterrupt):
            send()
        send(signal.SIGHUP)
    assert training.asked == ["stop"]


def test_a_hang_up_takes_a_snapshot(capfd: pytest.CaptureFixture[str]) -> None:
    training = Training()
    with Interrupts() as interrupts:
        send(signal.SIGHUP)
        interrupts.watch(training)
        send(signal.SIGHUP)
        send(signal.SIGHUP)
    assert training.asked == ["snapshot", "snapshot"]
    assert "taking a snapshot after this iteration" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("sigint", "sighup", "asked"),
    [
        ("snapshot", "stop", ["snapshot", "stop"]),
        ("none", "none", []),
        ("none", "snapshot", ["snapshot"]),
    ],
)
def test_effects_can_be_chosen(sigint: str, sighup: str, asked: list[str]) -> None:
    training = Training()
    with Interrupts(sigint, sighup) as interrupts:
        interrupts.watch(training)
        send(signal.SIGINT)
        send(signal.SIGHUP)
    assert training.asked == asked


def test_with_nothing_to_stop_it_interrupts() -> None:
    with Interrupts(), pytest.raises(KeyboardInterrupt):
        send()


def test_the_former_handlers_come_back() -> None:
    former = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGHUP)]
    with Interrupts():
        assert signal.getsignal(signal.SIGINT) is not former[0]
    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGHUP)] == former
