"""``caffe.Classifier``."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike

import numpy as np

from protonet.proto.caffe_pb2 import TEST
from protonet.pycaffe import io
from protonet.pycaffe.net import Net


def transformer_of(
    net: Net,
    mean: np.ndarray | None,
    input_scale: float | None,
    raw_scale: float | None,
    channel_swap: Sequence[int] | None,
) -> io.Transformer:
    """The preprocessing of H x W x K images for the first input of a net."""
    name = net.inputs[0]
    transformer = io.Transformer({name: net.blobs[name].data.shape})
    transformer.set_transpose(name, (2, 0, 1))
    if mean is not None:
        transformer.set_mean(name, mean)
    if input_scale is not None:
        transformer.set_input_scale(name, input_scale)
    if raw_scale is not None:
        transformer.set_raw_scale(name, raw_scale)
    if channel_swap is not None:
        transformer.set_channel_swap(name, channel_swap)
    return transformer


class Classifier(Net):
    """A net that classifies images.

    Args:
        model_file, pretrained_file: prototxt and weights.
        image_dims: height and width that images are resized to before the crop.
        mean, input_scale, raw_scale, channel_swap: as ``io.Transformer`` has them.
    """

    def __init__(
        self,
        model_file: str | PathLike[str],
        pretrained_file: str | PathLike[str],
        image_dims: Sequence[int] | None = None,
        mean: np.ndarray | None = None,
        input_scale: float | None = None,
        raw_scale: float | None = None,
        channel_swap: Sequence[int] | None = None,
    ) -> None:
        super().__init__(model_file, TEST, weights=pretrained_file)
        name = self.inputs[0]
        self.transformer = transformer_of(self, mean, input_scale, raw_scale, channel_swap)
        self.crop_dims = np.array(self.blobs[name].data.shape[2:])
        self.image_dims = self.crop_dims if image_dims is None else np.array(image_dims)

    def predict(self, inputs: Sequence[np.ndarray], oversample: bool = True) -> np.ndarray:
        """Scores, N x C, for N images H x W x K; the mean over ten crops with ``oversample``."""
        height, width = (int(extent) for extent in self.image_dims)
        images = np.stack([io.resize_image(image, (height, width)) for image in inputs])
        if oversample:
            images = io.oversample(images, self.crop_dims)
        else:
            top, left = ((self.image_dims - self.crop_dims) / 2).astype(int)
            images = images[
                :, top : top + int(self.crop_dims[0]), left : left + int(self.crop_dims[1])
            ]
        name = self.inputs[0]
        ready = np.stack([self.transformer.preprocess(name, image) for image in images])
        scores = self.forward_all(None, **{name: ready})[self.outputs[0]]
        if oversample:
            scores = scores.reshape(len(scores) // 10, 10, -1).mean(axis=1)
        return scores
