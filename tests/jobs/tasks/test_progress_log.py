"""Lines about work that takes long."""

from __future__ import annotations

import pytest

from protonet.jobs.tasks import progress_log


def test_a_line_every_five_seconds(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    now = [100.0]
    monkeypatch.setattr(progress_log.time, "monotonic", lambda: now[0])
    watch = progress_log.log_progress("images")
    for done, seconds in ((1, 102.0), (2, 105.0), (3, 109.9), (4, 110.0)):
        now[0] = seconds
        watch(done, 9)
    assert capfd.readouterr().err == "2 of 9 images\n4 of 9 images\n"
