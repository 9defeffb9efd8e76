"""RoIDataLayer: the Python layer that loads images and boxes for Faster R-CNN.

Source: rbgirshick/py-faster-rcnn, lib/roi_data_layer and lib/utils/blob.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from protonet.blob import Array
from protonet.data.datum import decode_image
from protonet.data.resize import resize
from protonet.errors import DataError, LayerError
from protonet.formats.json_text import parse_json
from protonet.layers.builtin_python import BuiltinLayer
from protonet.layers.python_api import Blob
from protonet.layers.rcnn import ProposalTargetLayer

_HINT = (
    "give net.layers[0].set_roidb(roidb), or name a file in param_str: 'source': 'boxes.json', "
    'with [{"image": "a.jpg", "boxes": [[x1, y1, x2, y2], ...], "classes": [1, ...]}, ...]'
)


@dataclass(frozen=True)
class Example:
    """An image and its boxes (G, 5): corners in pixels and class; 0 for proposals.

    ``mirrored``: the image is mirrored; ``follow``: the boxes are those of the original image and
    must be mirrored, too.
    """

    image: Path
    truths: Array
    mirrored: bool = False
    follow: bool = False


class RoIDataLayer(BuiltinLayer):
    """Images, one in each batch, scaled so that their shorter side is ``scales`` pixels long.

    The longer side is limited to max_size. Each image occurs
    once in an epoch, shuffled by the run's seed; with use_flipped also mirrored. Images without
    boxes are skipped.

    Tops: data 1 x 3 x H x W (BGR, less ``means``), im_info 1 x 3 (height, width, scale),
    gt_boxes G x 5 (corners in pixels of data, class). Or the six of Fast R-CNN: data, and the tops
    of ProposalTargetLayer for boxes of class 0, which are proposals, and the others.
    """

    bottoms = (0, 0)
    tops = (3, 6)
    required = frozenset({"num_classes"})
    defaults: ClassVar[Mapping[str, Any]] = {
        "source": None,
        "scales": (600,),
        "max_size": 1000,
        "means": (102.9801, 115.9465, 122.7717),
        "use_flipped": True,
    }

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().setup(bottom, top)
        if len(top) not in (3, 6):
            raise LayerError(f"{self.name} expects 3 or 6 top blob(s), got {len(top)}")
        classes = self.number("num_classes", 2)
        self._targets = ProposalTargetLayer(self.layer_param)
        self._targets.param_str = f"'num_classes': {classes}"
        if len(top) == 6:
            self._targets.setup([Blob(1, 5), Blob(1, 5)], top[1:])
        self.number("max_size", 1)
        if min(self.numbers("scales")) < 1:
            raise self.invalid("scales", "numbers of 1 or more")
        self.means = np.array(self.numbers("means", 3), np.float32)
        self._examples: list[Example] = []
        source = self.settings["source"]
        if source is not None:
            if not isinstance(source, str):
                raise self.invalid("source", "the name of a file")
            path = Path(self.find(source))
            self._take(_read_source(path), str(path), path.parent)

    def set_roidb(self, roidb: Sequence[Mapping[str, Any]]) -> None:
        """Read images and boxes as py-faster-rcnn has them: image, boxes, gt_classes, flipped.

        Boxes of a flipped entry are those of the mirrored image.

        Raises:
            DataError: for an invalid entry.
        """
        self._take(roidb, "roidb", Path())

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if not top[0].shape:
            side = int(max(self.numbers("scales")))
            top[0].reshape(1, 3, side, int(max(side, self.settings["max_size"])))
            if len(top) == 6:
                self._targets.reshape([Blob(1, 5), Blob(1, 5)], top[1:])
                return
            top[1].reshape(1, 3)
            top[2].reshape(1, 5)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if not self._examples:
            raise LayerError(self.in_layer("has no images"), ("python_param",), _HINT)
        epoch, place = divmod(self.iteration, len(self._examples))
        order = np.random.default_rng((self.seed, epoch)).permutation(len(self._examples))
        example = self._examples[order[place]]
        try:
            pixels = decode_image(example.image.read_bytes(), str(example.image), color=True)
        except OSError as error:
            raise DataError(f"{example.image}: {error.strerror}") from error
        if example.mirrored:
            pixels = pixels[:, :, ::-1]
        shift = pixels.astype(np.float32) - self.means[:, None, None]
        shorter, longer = sorted(pixels.shape[1:])
        scales = self.numbers("scales")
        scale = scales[self.random.integers(len(scales))] / shorter
        if round(scale * longer) > self.settings["max_size"]:
            scale = self.settings["max_size"] / longer
        height, width = (max(1, round(extent * scale)) for extent in pixels.shape[1:])
        truths = example.truths.copy()
        if example.follow:
            truths[:, [0, 2]] = pixels.shape[2] - 1 - truths[:, [2, 0]]
        truths[:, :4] *= scale
        self.write(top[0], resize(shift, height, width)[None])
        named = truths[:, 4] > 0
        if len(top) == 3:
            self.write(top[1], np.array([[height, width, scale]]))
            self.write(top[2], truths[named])
            return
        given = Blob(), Blob()
        given[0].bind(np.insert(truths[~named, :4], 0, 0, axis=1), None)
        given[1].bind(truths[named], None)
        self._targets.random = self.random
        self._targets.forward(given, top[1:])

    def _take(self, entries: Any, where: str, folder: Path) -> None:
        if not isinstance(entries, Sequence):
            raise DataError(f"{where}: expected a list of images with boxes")
        examples: list[Example] = []
        for number, entry in enumerate(entries):
            example = self._example(entry, f"{where}: entry {number}", folder)
            if (example.truths[:, 4] > 0).any():
                examples.append(example)
        if not examples:
            raise DataError(f"{where}: no image has a box")
        if self.settings["use_flipped"] and not any(each.mirrored for each in examples):
            examples += [replace(each, mirrored=True, follow=True) for each in examples]
        self._examples = examples

    def _example(self, entry: Any, where: str, folder: Path) -> Example:
        try:
            classes = entry["classes" if "classes" in entry else "gt_classes"]
            boxes = np.array(entry["boxes"], float).reshape(-1, 4)
            labels = np.array(classes, float).reshape(len(boxes), 1)
            path = folder / str(entry["image"])
            mirrored = bool(entry.get("flipped", False))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(
                f"{where}: expected image, boxes of four corners, and classes, one for each box "
                f"({type(error).__name__}: {error})"
            ) from error
        most = self.settings["num_classes"]
        wrong = ~((labels >= 0) & (labels < most))
        if wrong.any():
            raise DataError(f"{where}: class {labels[wrong][0]:g} is not one of 0 to {most - 1}")
        if not np.isfinite(boxes).all() or (boxes[:, 2:] < boxes[:, :2]).any():
            raise DataError(f"{where}: expected boxes x1, y1, x2, y2 with x1 <= x2 and y1 <= y2")
        return Example(path, np.concatenate([boxes, labels], axis=1), mirrored)


def _read_source(path: Path) -> Any:
    try:
        return parse_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise DataError(f"{path} is not JSON ({error})") from error
