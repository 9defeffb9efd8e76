"""What 8-bit integers cost of accuracy, for each way to choose ranges: golden/digits, and CIFAR-10
quick on images that are drawn here.

CIFAR-10 cannot be downloaded everywhere, so its place is taken by 10,000 colour images of 32 x 32
pixels: ten figures of any place, size and colour, in noise so strong that not all are recognized.
The network trains on 8,000 of them, about half a minute on two cores.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from protonet.cli.app import main as protonet
from protonet.data.datum import make_datum
from protonet.data.writer import DatabaseWriter
from protonet.device import Device
from protonet.jobs.quantization.quantize import Counts, Quantized, quantize
from protonet.jobs.quantization.ranges import METHODS, RangeChoice
from protonet.jobs.quantization.subject import Given, opened
from report import Target, table, targets_table

_ROOT = Path(__file__).parents[1]
_DIGITS = _ROOT / "tests" / "golden" / "digits"
_SIDE = 32
_CLASSES = 10
_NOISE = 45.0
_MOST = 0.5
"""Percentage points of accuracy that may be lost."""


def draw(generator: np.random.Generator, label: int) -> np.ndarray:
    """An image of a class: uint8 (3, 32, 32)."""
    y, x = np.mgrid[:_SIDE, :_SIDE].astype(np.float64)
    size = generator.uniform(6, 12)
    left, top = generator.uniform(size, _SIDE - size, 2)
    u, v = (x - left) / size, (y - top) / size
    far, wide, along = np.hypot(u, v), np.maximum(abs(u), abs(v)), np.minimum(abs(u), abs(v))
    inside = (
        far < 1,
        wide < 0.85,
        (v < 0.8) & (v > 2 * abs(u) - 1),
        (v > -0.8) & (v < 1 - 2 * abs(u)),
        (wide < 1) & (along < 0.3),
        (far < 1) & (far > 0.55),
        (abs(u) < 1) & (abs(v) < 0.3),
        (abs(v) < 1) & (abs(u) < 0.3),
        (wide < 1) & (abs(abs(u) - abs(v)) < 0.35),
        (wide < 1) & (wide > 0.6),
    )[label]
    colours = generator.uniform(0, 255, (2, 3, 1, 1))
    image = np.where(inside, colours[0], colours[1])
    image = image + generator.normal(0, _NOISE, image.shape)
    return np.clip(image, 0, 255).astype(np.uint8)


def write_images(path: Path, count: int, seed: int) -> None:
    """A database of drawn images, of all classes in turn."""
    generator = np.random.default_rng(seed)
    with DatabaseWriter(path) as writer:
        for number in range(count):
            label = number % _CLASSES
            writer.put(f"{number:06}".encode(), make_datum(draw(generator, label), label=label))


def trained(folder: Path) -> Given:
    """CIFAR-10 quick after its training."""
    write_images(folder / "train", 8000, 1)
    write_images(folder / "val", 2000, 2)
    net = _ROOT / "examples" / "prototxt" / "cifar10" / "net.prototxt"
    code = protonet(
        [
            *(
                "train",
                str(net),
                "--data",
                str(folder / "train"),
                "--val-data",
                str(folder / "val"),
            ),
            *("--batch-size", "100", "--epochs", "8", "--solver", "Adam", "--lr", "0.0004"),
            *("--seed", "1", "--out", str(folder / "run")),
        ]
    )
    if code:
        raise SystemExit(code)
    return Given(net=folder / "run")


def measured(given: Given, folder: Path) -> Iterator[tuple[str, Quantized]]:
    """What each way to choose ranges costs."""
    for method in METHODS:
        with opened(given, Device()) as subject:
            out = folder / f"{method}.caffemodel"
            yield method, quantize(subject, out, RangeChoice(method), Counts(compared=10_000))


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, quantize, and print."""
    argparse.ArgumentParser(description=__doc__).parse_args(arguments)
    weights = _DIGITS / "digits_iter_200.caffemodel"
    digits = Given(net=_DIGITS / "train_val.prototxt", weights=weights)
    rows, targets = [], []
    with tempfile.TemporaryDirectory() as name:
        cases = {"golden/digits": digits, "CIFAR-10 quick, drawn": trained(Path(name))}
        for title, given in cases.items():
            for method, found in measured(given, Path(name)):
                compared = found.comparison
                if compared is None or compared.accuracies is None or compared.agreement is None:
                    raise SystemExit("this processor has no 8-bit integers")
                exact, rounded = compared.accuracies
                scores = min(each.snr for each in compared.outputs if each.means is None)
                rows.append(
                    [title, method, str(compared.records), f"{exact:.2%}", f"{rounded:.2%}",
                     f"{compared.agreement:.2%}", f"{scores:.1f}"]
                )  # fmt: skip
                lost = 100 * (exact - rounded)
                targets.append(Target.at_most(f"{title}, {method}", _MOST, lost, " points lost"))
    heads = ["network", "ranges", "records", "float32", "int8", "same answers", "scores, dB"]
    print(f"\n{table(heads, rows)}\n\n{targets_table(targets)}")


if __name__ == "__main__":
    main()
