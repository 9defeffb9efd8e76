"""Throughput of the input pipeline in records per second, compared with Pillow decoding alone.

JPEG, PNG and raw records of 256x256 colour images are cropped to 227, mirrored at random, and a
mean image is subtracted. Nothing is cached: every record is read, decoded and transformed
anew, by as many threads as there are cores. Rounds alternate; medians and ratios are printed.
"""

from __future__ import annotations

import argparse
import io
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image, __version__

import protonet
from protonet.data.database import Database, DatabaseWriter
from protonet.data.datum import make_datum
from protonet.data.source import BatchSource
from protonet.data.transform import Transformer
from protonet.host import default_threads
from protonet.proto.caffe_pb2 import TRAIN, TransformationParameter

SIDE, CROP, BATCH, QUALITY = 256, 227, 32, 90
KINDS = ("jpeg", "png", "raw")


def picture(number: int) -> np.ndarray:
    """Soft colours with noise, which compress about as photographs do: BGR, channels first."""
    generator = np.random.default_rng(number)
    small = Image.fromarray(generator.integers(0, 256, (16, 16, 3), np.uint8))
    pixels = np.asarray(small.resize((SIDE, SIDE), Image.Resampling.BICUBIC)).astype(np.int16)
    pixels += generator.integers(-12, 13, pixels.shape, np.int16)
    return np.ascontiguousarray(np.clip(pixels, 0, 255).astype(np.uint8).transpose(2, 0, 1))


def encoded(image: np.ndarray, kind: str) -> bytes:
    """The file of an image."""
    buffer = io.BytesIO()
    settings = {"quality": QUALITY} if kind == "jpeg" else {}
    Image.fromarray(image[::-1].transpose(1, 2, 0)).save(buffer, kind, **settings)
    return buffer.getvalue()


def write(folder: Path, kind: str, count: int) -> None:
    """A database of ``count`` records."""
    with DatabaseWriter(folder / kind) as writer:
        for number in range(count):
            image = picture(number)
            file = False if kind == "raw" else encoded(image, kind)
            writer.put(f"{number:08}".encode(), make_datum(image, label=number, encoded=file))


def open_source(folder: Path, kind: str, threads: int) -> BatchSource:
    """What a Data layer reads from."""
    mean = np.full((3, SIDE, SIDE), 110, np.float32)
    param = TransformationParameter(crop_size=CROP, mirror=True, mean_file="mean")
    transformer = Transformer(param, TRAIN, (3, SIDE, SIDE), mean)
    return BatchSource(Database(folder / kind), BATCH, transformer, threads=threads, cache_limit=0)


def pillow(files: list[bytes], threads: int) -> Callable[[], int]:
    """Decode files that lie in memory, and nothing else."""

    def load(file: bytes) -> None:
        Image.open(io.BytesIO(file)).load()

    def run() -> int:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(load, files))
        return len(files)

    return run


def batches(source: BatchSource, count: int) -> Callable[[], int]:
    """Take batches until about ``count`` records have come."""
    data = np.empty((BATCH, 3, CROP, CROP), np.float32)
    labels = np.empty(BATCH, np.float32)

    def run() -> int:
        for _ in range(count // BATCH):
            source.next(data, labels)
        return count // BATCH * BATCH

    return run


Rates = dict[str, list[tuple[float, float]]]
"""Records per second, and microseconds of processor time for each, round after round."""


def measure(runs: dict[str, Callable[[], int]], rounds: int) -> Rates:
    """Run all of them in every round."""
    rates: Rates = {name: [] for name in runs}
    for name in [*runs] * (rounds + 1):
        began, worked = time.perf_counter(), time.process_time()
        count = runs[name]()
        took, work = time.perf_counter() - began, time.process_time() - worked
        rates[name].append((count / took, 1e6 * work / count))
    return {name: found[1:] for name, found in rates.items()}  # the first one warms up


def compare(folder: Path, kind: str, count: int, rounds: int, cores: int) -> None:
    """Print the rates of one kind of records."""
    write(folder, kind, count)
    runs: dict[str, Callable[[], int]] = {}
    if kind != "raw":
        with Database(folder / kind) as database:
            files = [datum.data for _, datum in database]
        runs["Pillow alone, 1 thread"] = pillow(files, 1)
        runs[f"Pillow alone, {cores} threads"] = pillow(files, cores)
    sources = [open_source(folder, kind, threads) for threads in (1, cores)]
    for source, threads in zip(sources, (1, cores), strict=True):
        runs[f"protonet, {threads} threads"] = batches(source, count)
    rates = measure(runs, rounds)
    for source in sources:
        source.close()
    base = next((found for name, found in rates.items() if name.endswith(f", {cores} threads")))
    for name, found in rates.items():
        rate, work = (statistics.median(column) for column in zip(*found, strict=True))
        ratio = statistics.median(a / b for (a, _), (b, _) in zip(found, base, strict=True))
        print(f"{kind:5} {name:26} {rate:7.0f} records/s {work:6.0f} us {ratio:6.2f}")


def main() -> None:
    """Measure all kinds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    cores = default_threads()
    jpeg = "with" if find_spec("simplejpeg") else "without"
    print(
        f"protonet {protonet.__version__}, NumPy {np.__version__}, Pillow {__version__}, {jpeg} "
        f"simplejpeg, {cores} cores, {platform.processor() or platform.machine()}; processor time "
        "of a record; the last column is the rate relative to Pillow on all cores, for raw records "
        "to protonet there"
    )
    for kind in KINDS:
        with tempfile.TemporaryDirectory() as folder:
            compare(Path(folder), kind, arguments.records, arguments.rounds, cores)


if __name__ == "__main__":
    main()
