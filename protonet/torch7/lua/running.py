"""Definitions, run in processes of their own."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from protonet.errors import Mistake, NetworkError, UsageError
from protonet.proto.source import SIZE_LIMIT, Source
from protonet.torch7.lua.definition import Definition, Limits, Options, Params
from protonet.torch7.lua.form import Packer, Unpacker, receive, send
from protonet.torch7.lua.results import hook_from_json
from protonet.torch7.objects import TorchObject
from protonet.torch7.random import Generator

_START = 60.0
"""Seconds for a process to start, also on a busy machine. It ends by itself after its time."""

Json = dict[str, Any]


def run(source: Source, params: Params | None = None, limits: Limits | None = None) -> Definition:
    """Run a definition, in a process of its own with limits.

    Its random numbers are drawn here, when somebody reads the tensors.

    Raises:
        NetworkError: for what is wrong with it, at its line.
        UsageError: when lupa is not installed.
    """
    found, unpacker = _exchange(source, params or Params(), limits or Limits(), None)
    told = found["found"]
    hook = told["label_hook"]
    return Definition(
        model=unpacker.value(told["model"]),
        loss=unpacker.value(told["loss"]),
        options=Options(**told["options"]),
        label_hook=None if hook is None else hook_from_json(hook),
        fine_tunes=told["fine_tunes"],
        log=tuple(found["log"]),
    )


def fine_tune(
    source: Source,
    model: TorchObject,
    params: Params | None = None,
    limits: Limits | None = None,
) -> TorchObject:
    """The model that the definition's ``fineTuneHook`` makes of a trained one.

    Raises:
        NetworkError: as ``run``, and when it has no such hook.
    """
    found, unpacker = _exchange(source, params or Params(), limits or Limits(), model)
    tuned: TorchObject = unpacker.value(found["found"]["model"])
    return tuned


def _exchange(
    source: Source,
    params: Params,
    limits: Limits,
    model: TorchObject | None,
) -> tuple[Json, Unpacker]:
    if len(source.text) > SIZE_LIMIT:
        raise NetworkError([Mistake(f"longer than {SIZE_LIMIT >> 20} MiB", source.name)])
    request: Json = {"text": source.text, "params": asdict(params), "limits": asdict(limits)}
    request["model"] = None
    arrays: list[Any] = []
    if model is not None:
        packer = Packer(settled=True)
        root = packer.reference(model)
        form, arrays = packer.packed(Generator())
        request["model"] = {"form": form, "root": root}
    sent = io.BytesIO()
    send(sent, request, arrays)
    answer = _ask(sent.getvalue(), limits, source)
    header, given = receive(io.BytesIO(answer))
    check(header, source)
    return header, Unpacker(header["form"], given)


def check(header: Json, source: Source) -> None:
    """Raise what an answer tells.

    Raises:
        NetworkError: for a mistake.
        UsageError: when lupa is not installed.
    """
    if "missing" in header:
        raise UsageError(
            'networks of Torch7 are Lua, which needs a package: pip install "protonet[torch7]"'
        )
    if "mistake" in header:
        told = header["mistake"]
        place = (told["line"], told["column"]) if told.get("line") else None
        raise NetworkError([source.mistake_at(place, told["message"], told.get("hint", ""))])


def _ask(request: bytes, limits: Limits, source: Source) -> bytes:
    """The answer of a new process; it is killed after its time."""
    root = str(Path(__file__).parents[3])
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    with subprocess.Popen(
        # -P: nothing is imported from the folder where somebody works
        [sys.executable, "-P", "-m", "protonet.torch7.lua.child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"},
        start_new_session=True,
    ) as process:
        try:
            answer, errors = process.communicate(request, _START + limits.seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            raise _ended(source, f"runs for more than {limits.seconds:g} seconds") from None
        except BaseException:
            process.kill()
            raise
    if b"\n" not in answer:
        raise _ended(source, _told(process.returncode, errors, limits))
    return answer


def _ended(source: Source, told: str) -> NetworkError:
    return NetworkError([Mistake(f"the definition {told}", source.name)])


def _told(code: int, errors: bytes, limits: Limits) -> str:
    """How a process ended without an answer."""
    if code == -signal.SIGALRM:
        return f"runs for more than {limits.seconds:g} seconds"
    if code == -signal.SIGKILL:
        return "was killed, as for want of memory"
    last = errors.decode("utf-8", "replace").strip().rpartition("\n")[2]
    return f"ended its process (exit code {code}): {last[:500]}"
