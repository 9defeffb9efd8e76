"""The machine, and the environment that every process of a benchmark gets."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from pathlib import Path

from settings import Setting

THREADS = 2
"""Threads and cores of either side, whatever the machine has."""

_CHOICES = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "NVPL_")
POOLS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_GPU_PACKAGES = (
    "cupy-cuda12x",
    "cupy-cuda13x",
    "nvidia-cudnn-frontend",
    "nvidia-cudnn-cu12",
    "nvidia-cudnn-cu13",
)
_OPENCV = "opencv-python-headless"
_SETS = ("sse4_2", "avx2", "fma", "avx512f", "avx512_bf16", "amx_tile", "asimd", "sve")


def clean_environment() -> dict[str, str]:
    """The environment without choices of kernels, with ``THREADS`` threads for every pool; Python
    keeps what it compiles.
    """
    left = (*_CHOICES, "PYTHONDONTWRITEBYTECODE")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(left)}
    return kept | dict.fromkeys(POOLS, str(THREADS))


def keep_to_cores() -> None:
    """Let this process and those that it starts run on ``THREADS`` cores only."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])


def has_vnni() -> bool:
    """Whether the processor adds products of bytes in 32 bits."""
    return any("vnni" in flag for flag in _flags(_processor()))


def _processor() -> dict[str, str]:
    """What the system says of the first processor."""
    found: dict[str, str] = {}
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        found.setdefault(name.strip(), value.strip())
    return found


def _flags(processor: dict[str, str]) -> list[str]:
    return processor.get("flags", processor.get("Features", "")).split()


def _name(processor: dict[str, str]) -> str:
    """With its family: virtual machines give many generations of processors one name."""
    name = processor.get("model name", platform.machine())
    if "cpu family" not in processor:
        return name
    return f"{name} (family {processor['cpu family']}, model {processor['model']})"


def describe(setting: Setting) -> list[str]:
    """Processor, its vector instructions, system and versions, a line each; and the GPU."""
    found = _processor()
    flags = _flags(found)
    return [
        f"{_name(found)}, {os.cpu_count()} cores, of which "
        f"{len(os.sched_getaffinity(0))} are used; {' '.join(s for s in _SETS if s in flags)}",
        platform.platform(),
        f"Python {platform.python_version()}, "
        + ", ".join(f"{name} {version(name)}" for name in ("protonet", "numpy", "torch")),
        *(_gpu(setting) if setting.on_gpu else ()),
        f"computed in {setting.precision}",
    ]


def describe_engines(precision: str) -> list[str]:
    """The same beside engines."""
    processor, system, _, *_ = describe(Setting())
    names = ("protonet", "numpy", "onnxruntime", "openvino", _OPENCV, "ncnn", "MNN")
    return [
        processor,
        system,
        f"Python {platform.python_version()}, "
        + ", ".join(f"{name} {version(name)}" for name in names),
        f"computed in {precision}",
    ]


def _gpu(setting: Setting) -> list[str]:
    """The GPU, and the libraries that drive it."""
    from protonet.gpus import gpu_properties

    number = int(setting.device.partition(":")[2] or 0)
    properties = gpu_properties([number])[number]
    found = [name for name in _GPU_PACKAGES if version(name) != "(not installed)"]
    return [
        f"{properties['name']}, {properties['memory']}; "
        + ", ".join(f"{name} {version(name)}" for name in found)
    ]


def version(package: str) -> str:
    """The installed version of a package."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "(not installed)" if package != "protonet" else _own_version()


def _own_version() -> str:
    """Of a checkout that runs without being installed."""
    import protonet

    return protonet.__version__


def resident(field: str) -> float:
    """Memory of this process in MiB: ``VmRSS``, what it holds, or ``VmHWM``, the most it held."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024
    raise KeyError(field)


def busy_seconds() -> float:
    """Seconds that all cores together worked for any process, or were taken by the host."""
    fields = Path("/proc/stat").read_text().split(maxsplit=9)[1:9]
    user, nice, system, _, _, interrupts, soft, steal = map(int, fields)
    return (user + nice + system + interrupts + soft + steal) / os.sysconf("SC_CLK_TCK")
