"""protonet's input pipeline: what a Data layer reads from, with a mean image."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import protonet
from loader_settings import BATCH, CROP, MEAN, SIDE, WORKERS
from protonet.data.database import Database
from protonet.data.source import BatchSource
from protonet.data.transform import Transformer
from protonet.proto.caffe_pb2 import TEST, TRAIN, TransformationParameter

VERSION = protonet.__version__


class Loading:
    """Nothing is cached: every record is read and decoded anew."""

    def __init__(self, folder: Path, *, plain: bool) -> None:
        param = TransformationParameter(crop_size=CROP, mirror=not plain, mean_file="mean")
        mean = np.full((3, SIDE, SIDE), MEAN, np.float32)
        transformer = Transformer(param, TEST if plain else TRAIN, (3, SIDE, SIDE), mean)
        self.source = BatchSource(
            Database(folder / "jpeg"), BATCH, transformer, threads=WORKERS, cache_limit=0
        )

    def take(self) -> np.ndarray:
        """The next batch: (n, 3, CROP, CROP), of blue, green and red."""
        batch = self.source.take()
        self.source.give_back(batch)
        return batch.data
