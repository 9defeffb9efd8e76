"""Instructions that only some processors of a set have: what is found, and what tests pretend."""

from __future__ import annotations

from pathlib import Path

import pytest

from protonet.kernels import native
from tests.kernels.instructions import MODULES, use

FLAGS = {
    "avx2": {"avx2", "fma"},
    "avx512_bf16": {"avx512_bf16"},
    "int8": {"avx512_vnni"},
    "amx_bf16": {"amx_tile", "amx_bf16", "amx_int8", "avx512_bf16", "avx512_vnni"},
    "amx_int8": {"amx_tile", "amx_bf16", "amx_int8", "avx512_bf16", "avx512_vnni"},
}


@pytest.mark.parametrize("module", MODULES)
def test_features_are_those_of_the_processor(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    use(module, monkeypatch)
    found = set(native.load().features())
    own = {"baseline": {}, "avx2": dict.fromkeys(["avx2", "int8"], FLAGS["avx2"])}
    ours = own.get(module, FLAGS)
    assert found <= set(ours)
    flags = next(
        set(line.split())
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("flags")
    )
    for name, needed in ours.items():
        # what the system does not permit is not there either
        assert name not in found or needed <= flags
        assert name in found or not needed <= flags or name.startswith("amx")


def test_tests_can_pretend_that_there_are_fewer() -> None:
    module = native.load()
    before = module.features()
    module.limit_features([])
    assert module.features() == []
    module.limit_features([*before, "avx512_of_another_world"])
    assert module.features() == before
