"""CUDA sources compile, GPU or not: NVIDIA's run-time compiler needs no GPU."""

from __future__ import annotations

import ctypes
import importlib.util
from pathlib import Path

import pytest

from protonet.kernels import cuda

TYPES = {"float32": (), "float16": ("-DFLOAT16",), "bfloat16": ("-DBFLOAT16",)}
COMPILED_FOR = [*(("sm_90", name) for name in TYPES), ("sm_75", "bfloat16")]
"""Before 8.0, processors have no instruction that rounds to bfloat16; nothing else differs."""
SOURCES = {name: cuda.source(name) for name in cuda.sources()}


def nvrtc() -> ctypes.CDLL:
    """The library of the nvidia-cuda-nvrtc wheel, which the dev extra brings."""
    spec = importlib.util.find_spec("nvidia.cuda_nvrtc")
    assert spec is not None, "pip install 'protonet[dev]' brings nvidia-cuda-nvrtc"
    assert spec.submodule_search_locations is not None
    (folder,) = spec.submodule_search_locations
    (path,) = (Path(folder) / "lib").glob("libnvrtc.so.*")
    return ctypes.CDLL(str(path))


def compile_cuda(source: str, architecture: str, *more: str) -> str:
    """Compile; return the log, empty when there is nothing to complain about."""
    library = nvrtc()
    program = ctypes.c_void_p()
    failed = library.nvrtcCreateProgram(
        ctypes.byref(program), source.encode(), b"kernel.cu", 0, None, None
    )
    assert failed == 0
    given = [each.encode() for each in ("--std=c++17", f"--gpu-architecture={architecture}", *more)]
    options = (ctypes.c_char_p * len(given))(*given)
    result = library.nvrtcCompileProgram(program, len(given), options)
    size = ctypes.c_size_t()
    library.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    log = ctypes.create_string_buffer(size.value)
    library.nvrtcGetProgramLog(program, log)
    library.nvrtcDestroyProgram(ctypes.byref(program))
    return log.value.decode() if result else ""


@pytest.mark.parametrize(("architecture", "stored"), COMPILED_FOR)
@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES.keys())
def test_sources_compile(source: str, architecture: str, stored: str) -> None:
    assert compile_cuda(source, architecture, *TYPES[stored]) == ""


def test_the_compiler_does_complain() -> None:
    assert "undefined" in compile_cuda('extern "C" __global__ void f() { x = 1; }', "sm_80")
