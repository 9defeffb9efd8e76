"""The depthwise convolutions of Caffe's forks: a group for each channel."""

from __future__ import annotations

from protonet.errors import LayerError
from protonet.layers.convolution import Convolution
from protonet.layers.registry import register


@register("DepthwiseConvolution")
class DepthwiseConvolution(Convolution):
    """Convolution with group = channels: each channel has windows and weights of its own.

    Bottom:
        one or more of the same shape: x, ... x C x spatial axes.
    Top:
        one for each bottom, as for Convolution.
    Params:
        0: W, num_output x 1 x kernel.
        1 (bias_term): b, num_output.
    Spec:
        convolution_param, as for Convolution; group is ignored.
    Raises:
        LayerError: as Convolution, and for a num_output that is no multiple of the channels.
    Differs:
        Caffe has no such layer; its forks for MobileNet do.
    """

    def groups(self, channels: int) -> int:
        """As many as channels."""
        if self.outputs % channels:
            raise LayerError(
                f"num_output {self.outputs} must be a multiple of the {channels} channels",
                ("convolution_param", "num_output"),
            )
        return channels


@register("ConvolutionDepthwise")
class ConvolutionDepthwise(Convolution):
    """Convolution with group = channels and as many outputs, of another fork.

    Bottom:
        one or more of the same shape: x, ... x C x spatial axes.
    Top:
        one for each bottom, as for Convolution; always with C channels.
    Params:
        0: W, C x 1 x kernel.
        1 (bias_term): b, C.
    Spec:
        convolution_param, as for Convolution; group and num_output are ignored.
    Raises:
        LayerError: without a kernel, for a setting in two forms, or a kernel larger than the image.
    Differs:
        Caffe has no such layer; forks of it do (conv_dw_layer.cpp), for 4 axes and one bottom.
    """

    needs_outputs = False

    def outputs_of(self, channels: int) -> int:
        """As many as channels: the fork never reads num_output."""
        return channels

    def groups(self, channels: int) -> int:
        """As many as channels."""
        return channels
