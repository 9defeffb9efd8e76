"""DALI's input pipeline with its operators for a CPU, from the same LMDB by its reader of Caffe's.

The mean is one number for each channel. Either only the window is decoded
(``decoders.image_crop``), or the whole image, of which ``crop_mirror_normalize`` takes it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import nvidia.dali
from nvidia.dali import fn, pipeline_def, types

from loader_settings import BATCH, CENTRE, CROP, MEAN, SIDE, WORKERS

VERSION = nvidia.dali.__version__


@pipeline_def(batch_size=BATCH, num_threads=WORKERS, device_id=None, prefetch_queue_depth=3)
def _pipeline(path: str, *, plain: bool, whole: bool):
    file, label = fn.readers.caffe(path=path, prefetch_queue_depth=3)
    centre = CENTRE / (SIDE - CROP)
    place = (
        {"crop_pos_x": centre, "crop_pos_y": centre}
        if plain
        else {
            "crop_pos_x": fn.random.uniform(range=(0.0, 1.0)),
            "crop_pos_y": fn.random.uniform(range=(0.0, 1.0)),
        }
    )
    if whole:
        image = fn.decoders.image(file, device="cpu", output_type=types.BGR)
    else:
        image = fn.decoders.image_crop(
            file, device="cpu", output_type=types.BGR, crop=(CROP, CROP), **place
        )
    return fn.crop_mirror_normalize(
        image,
        dtype=types.FLOAT,
        output_layout="CHW",
        mirror=0 if plain else fn.random.coin_flip(),
        mean=[MEAN] * 3,
        std=[1.0] * 3,
        **({"crop": (CROP, CROP), **place} if whole else {}),
    ), label


class Loading:
    """A pipeline without a GPU, which decodes windows."""

    whole = False

    def __init__(self, folder: Path, *, plain: bool) -> None:
        self.pipeline = _pipeline(str(folder / "jpeg"), plain=plain, whole=self.whole)
        self.pipeline.build()

    def take(self) -> np.ndarray:
        """The next batch: (n, 3, CROP, CROP), of blue, green and red."""
        images, _ = self.pipeline.run()
        return np.asarray(images.as_tensor())


class Whole(Loading):
    """A pipeline that decodes whole images."""

    whole = True
