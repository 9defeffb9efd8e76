from __future__ import annotations

import signal

import pytest

from protonet.cli.interrupts import Interrupts


def send() -> None:
    signal.raise_signal(signal.SIGINT)


def test_the_first_one_stops_and_says_so_and_the_second_aborts(
    capfd: pytest.CaptureFixture[str],
) -> None:
    stopped: list[str] = []
    with Interrupts() as interrupts:
        interrupts.watch(lambda: stopped.append("once"))
        send()
        assert stopped == ["once"]
        said = capfd.readouterr().err
        assert "stopping after this iteration" in said
        assert "Ctrl-C again aborts" in said
        with pytest.raises(KeyboardInterrupt):
            send()
    assert stopped == ["once"]


def test_with_nothing_to_stop_it_interrupts() -> None:
    with Interrupts(), pytest.raises(KeyboardInterrupt):
        send()


def test_the_former_handler_comes_back() -> None:
    former = signal.getsignal(signal.SIGINT)
    with Interrupts():
        assert signal.getsignal(signal.SIGINT) is not former
    assert signal.getsignal(signal.SIGINT) is former
