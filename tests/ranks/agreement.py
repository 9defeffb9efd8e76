"""Trainings of one rank and of several, whose weights are compared."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from protonet.formats.caffemodel import read_weights
from tests.ranks.started import ROOT, train_all

SOLVER = """
net: "net.prototxt" type: "SGD" base_lr: 0.05 momentum: 0.9 weight_decay: 0.0005 lr_policy: "fixed"
max_iter: 100 test_iter: 5 test_interval: 50 snapshot_prefix: "net" random_seed: 7
"""


def digits(folder: Path, net: str, **solvers: str) -> Path:
    """A folder with golden/digits, a net, and solver files: NAME.prototxt."""
    made = folder / "digits"
    shutil.copytree(ROOT / "tests" / "golden" / "digits", made)
    (made / "net.prototxt").write_text(net)
    for name, text in (solvers or {"one": SOLVER}).items():
        (made / f"{name}.prototxt").write_text(text.replace('"net"', f'"{name}"'))
    return made


def weights_of(path: Path) -> np.ndarray:
    layers = read_weights(path)
    return np.concatenate([blob.ravel() for blobs in layers.values() for blob in blobs])


def trained(folder: Path, ranks: int, names: Sequence[str], settings: Mapping[str, Any],
            iterations: int) -> list[np.ndarray]:  # fmt: skip
    """The weights that solver files of a folder give on so many ranks."""
    files = [folder / f"{name}_iter_{iterations}.caffemodel" for name in names]
    for each in files:
        each.unlink(missing_ok=True)
    out = "-".join(["run", str(ranks), *map(str, settings.values())])
    cases = [(f"{name}.prototxt", {**settings, "out": f"{out}-{name}"}) for name in names]
    train_all(ranks, cases, folder)
    return [weights_of(each) for each in files]


def agree(
    folder: Path,
    settings: Mapping[str, Any],
    *,
    ranks: Sequence[int],
    atol: float,
    names: Sequence[str] = ("one",),
    iterations: int = 100,
) -> None:
    """Each solver file gives the weights of one rank, up to rounding: ``atol``."""
    alone = trained(folder, 1, names, {}, iterations)
    for count in ranks:
        together = trained(folder, count, names, settings, iterations)
        for name, ours, expected in zip(names, together, alone, strict=True):
            np.testing.assert_allclose(
                ours, expected, rtol=1e-5, atol=atol, err_msg=f"{name} on {count}"
            )
