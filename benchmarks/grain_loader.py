"""Grain's input pipeline, on threads or in processes, with simplejpeg as the decoder."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

import grain
import numpy as np
import simplejpeg

from loader_settings import BATCH, CROP, MEAN, WORKERS, Files, window

VERSION = f"{version('grain')}, simplejpeg {version('simplejpeg')}"


def _plain(file: np.ndarray) -> np.ndarray:
    return _finished(file, None)


def _random(file: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    return _finished(file, generator)


def _finished(file: np.ndarray, generator: np.random.Generator | None) -> np.ndarray:
    image = simplejpeg.decode_jpeg(file, "BGR")
    top, left, mirror = window(generator)
    cropped = image[top : top + CROP, left : left + CROP]
    if mirror:
        cropped = cropped[:, ::-1]
    # Reordered as bytes first, which is faster than as floats.
    planes = np.ascontiguousarray(cropped.transpose(2, 0, 1)).astype(np.float32)
    planes -= np.float32(MEAN)
    return planes


class Threads:
    """A batch's records are read by two threads ahead."""

    processes = False

    def __init__(self, folder: Path, *, plain: bool) -> None:
        source = grain.MapDataset.source(Files(folder)).seed(1).repeat()
        records = source.map(_plain) if plain else source.random_map(_random)
        if self.processes:
            batches = records.batch(BATCH).to_iter_dataset(grain.ReadOptions(1, 2))
            batches = batches.mp_prefetch(grain.MultiprocessingOptions(num_workers=WORKERS))
        else:
            options = grain.ReadOptions(num_threads=WORKERS, prefetch_buffer_size=3 * BATCH)
            batches = records.to_iter_dataset(options).batch(BATCH)
        self.batches: Any = iter(batches)

    def take(self) -> np.ndarray:
        """The next batch: (n, 3, CROP, CROP), of blue, green and red."""
        found: np.ndarray = next(self.batches)
        return found


class Processes(Threads):
    """Two processes make a batch each."""

    processes = True
