"""Every layer that has bottoms, held to the same: differences, Caffe, memory, devices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from protonet.device import Device
from protonet.layers import layer_class, layer_types
from protonet.proto.caffe_pb2 import TEST, TRAIN, ElementwiseLossParameter
from protonet.testing import check_devices, check_golden, check_layer, check_pure, check_steady

GOLDEN = Path(__file__).parents[1] / "golden"
FORKS = GOLDEN.with_name("golden_forks")
SHAPE = (2, 3, 5, 7)
VOLUME = (2, 3, 4, 5, 6)

# Caffe ran no backward pass in these: no loss is reached, and force_backward would end it, since
# indices get no gradient. Their gradients are zeros that nothing wrote.
FORWARD_ONLY = {"BatchReindex/default", "Embed/bias", "Filter/two"}

# Types of forks, which none of the Caffes that wrote the golden cases has; and code of users.
NO_GOLDEN = {
    "WarpCTCLoss",
    "FlowWarp",
    "Correlation",
    "ChannelNorm",
    "Resample",
    "Mean",
    "Downsample",
    "Gather",
    "LabelSpecificRescale",
    "MarginInnerProduct",
    "DepthToSpace",
    "SpaceToBatchND",
    "BatchToSpaceND",
    "SeLu",
    "SeLuDropout",
    "ProposalTarget",
    "HardMining",
    "FrcnnOutput",
    "DetectionAccuracy",
    "DetectionGroupAccuracy",
    "BboxAccuracy",
    "DetectionLoss",
    "DetectionGroupLoss",
    "AbsLoss",
    "AdaptivePooling",
    "Add",
    "Axpy",
    "BN",
    "BoxAnnotatorOHEM",
    "BoxGroupOutput",
    "BoxOutput",
    "DecodeBBox",
    "ScaleRoute",
    "ContinuationIndicator",
    "Convolution3D",
    "CTCLoss",
    "CenterLoss",
    "ChannelScale",
    "ConvolutionDepthwise",
    "CtcLoss",
    "Deconvolution3D",
    "DepthwiseConvolution",
    "DiceCoefLoss",
    "Interp",
    "NdConvolution",
    "LabelSpecificAdd",
    "LabelsequenceAccuracy",
    "KMaxPooling",
    "FractionalPooling",
    "LocallyConnected",
    "Lstm",
    "MultiBoxFocalLoss",
    "MultiStageMeanfield",
    "NdPooling",
    "PSROIPooling",
    "Pooling3D",
    "Proposal",
    "Python",
    "ROIAlign",
    "ROIPooling",
    "ReLU6",
    "RegionLoss",
    "Reorg",
    "Flip",
    "ResizeBilinear",
    "ResizeNearestNeighbor",
    "GeneralContrastiveLoss",
    "GeneralTripletLoss",
    "InnerDistance",
    "Compare",
    "HardSwish",
    "MatMul",
    "Mul",
    "Pad",
    "Squeeze",
    "TableConvolution",
    "TableDeconvolution",
    "Reverse",
    "ShuffleChannel",
    "SigmoidCrossEntropyBalanceLoss",
    "SmoothL1LossOHEM",
    "SoftmaxWithLossOHEM",
    "Unpooling",
    "Upsample",
    "YoloDetectionOutput",
    "Yolov3",
    "Yolov3DetectionOutput",
    "SegAccuracy",
    "CosineSimilarity",
    "Elementwise",
    "ElementwiseLoss",
    "GaussianNoise",
    "GradientScale",
    "LogSoftmax",
    "LpNormalization",
    "OneHot",
    "RReLU",
    "MultiLabelMarginLoss",
    "MultiMarginLoss",
    "NLLLoss",
    "PairwiseDistance",
}


@dataclass(frozen=True)
class Case:
    """A layer's fields, the shapes of its bottoms, and what its function needs.

    The bottoms of ``alone`` have no items: they stay as they are in a larger batch.
    """

    text: str
    shapes: tuple[tuple[int, ...], ...] = (SHAPE,)
    kinks: tuple[float, ...] = ()
    phase: int = TRAIN
    classes: int | None = None
    label: int = -1
    alone: frozenset[int] = frozenset()
    positive: bool = False
    make: Callable[[], list[np.ndarray]] | None = None

    @property
    def type(self) -> str:
        return self.text.split('"')[1]

    def bottoms(self) -> list[np.ndarray]:
        """Values, with labels in bottom ``label`` where there are classes; or those of ``make``."""
        if self.make is not None:
            return self.make()
        generator = np.random.default_rng(7)
        arrays = [generator.standard_normal(shape) for shape in self.shapes]
        for kink in self.kinks:
            for array in arrays:
                near = np.abs(array - kink) < 0.05
                array[near] = kink + 0.05
        if self.positive:
            arrays = [np.abs(array) + 0.1 for array in arrays]
        if self.classes is not None:
            shape = self.shapes[self.label]
            arrays[self.label] = generator.integers(0, self.classes, shape).astype(np.float64)
        return arrays


def places() -> list[np.ndarray]:
    """Planes of 2 x 3, and for each value another place in a plane of 4 x 6."""
    generator = np.random.default_rng(7)
    mask = [generator.permutation(24)[:6] for _ in range(15)]
    return [generator.standard_normal((3, 5, 2, 3)), np.reshape(mask, (3, 5, 2, 3)).astype(float)]


def apart() -> list[np.ndarray]:
    """Values that are all apart."""
    return [np.random.default_rng(7).permutation(210).reshape(SHAPE) / 20.0]


def warped() -> list[np.ndarray]:
    """An image, and a flow that keeps away from its pixels."""
    generator = np.random.default_rng(7)
    flow = generator.integers(-2, 2, (2, 2, 5, 7)) + generator.uniform(0.2, 0.8, (2, 2, 5, 7))
    return [generator.standard_normal(SHAPE), flow]


def objects() -> list[np.ndarray]:
    """What MultiBoxLoss gets for two images, five priors, three classes and an object."""
    generator = np.random.default_rng(7)
    starts = generator.uniform(0, 0.5, (5, 2))
    boxes = [np.concatenate([starts, starts + 0.4], axis=1), np.full((5, 4), 0.2)]
    rows = [[1, 2, 0, 0.1, 0.2, 0.5, 0.6, 0], [-1] * 8]
    return [
        generator.standard_normal((2, 20)),
        generator.standard_normal((2, 15)),
        np.reshape(boxes, (1, 2, 20)),
        np.reshape(rows, (1, 1, 2, 8)).astype(float),
    ]


def sequences() -> list[np.ndarray]:
    """Scores of 5 steps for three sequences, the second of 4 steps, with their labels."""
    going = np.ones((5, 3))
    going[0], going[4, 1] = 0, 0
    labels = np.array([[0, 1, 2], [0, 2, -1], [-1, 1, -1], [-1, -1, -1], [-1, -1, -1]], float)
    return [np.random.default_rng(7).standard_normal((5, 3, 4)), going, labels]


def regions(channels: int) -> list[np.ndarray]:
    """A map whose values are all apart, and four regions, one of them beyond its border."""
    generator = np.random.default_rng(7)
    x = generator.permutation(2 * channels * 35).reshape(2, channels, 5, 7) / 20.0
    corners = [[0, 1, 0, 12, 9], [1, 3, 2, 7, 8], [1, 6, 6, 6, 6], [0, 4, 4, 30, 40]]
    return [x, np.array(corners, float)]


def described() -> list[np.ndarray]:
    """A map of two boxes and three classes for two images, and what is on them."""
    generator = np.random.default_rng(7)
    rows = np.zeros((2, 3, 5))
    rows[0, :2] = [[1, 0.3, 0.4, 0.3, 0.2], [2, 0.8, 0.1, 0.2, 0.5]]
    return [generator.normal(0, 0.5, (2, 16, 4, 5)), rows]


def scored() -> list[np.ndarray]:
    """Scores and offsets of four anchors for two images, 20 x 28."""
    generator = np.random.default_rng(7)
    scores, offsets = generator.uniform(0, 1, (2, 8, 5, 7)), generator.normal(0, 0.3, (2, 16, 5, 7))
    return [scores, offsets, np.array([[20, 28, 1.0], [20, 28, 0.5]])]


def pictured() -> list[np.ndarray]:
    """Scores of three classes twice, and the images that they are of."""
    generator = np.random.default_rng(7)
    scores = generator.standard_normal((2, 2, 3, 4, 5))
    return [*scores, generator.uniform(0, 30, (2, 3, 4, 5))]


def probable() -> list[np.ndarray]:
    """Probabilities and targets from 0 to 1, away from the corners of all functions."""
    generator = np.random.default_rng(7)
    return [generator.uniform(0.1, 0.4, SHAPE), generator.uniform(0.5, 0.9, SHAPE)]


def signed() -> list[np.ndarray]:
    """Probabilities, and targets of -1 and 1."""
    generator = np.random.default_rng(7)
    return [generator.uniform(0.35, 0.9, SHAPE), generator.integers(0, 2, SHAPE) * 2.0 - 1]


def elementwise(operation: str) -> Case:
    """A case of ElementwiseLoss."""
    embeds = operation in ("MARGIN", "RANKING", "SOFT_MARGIN") or "EMBEDDING" in operation
    text = f"operation: {operation} margin: 0.3"
    weights = " ".join(f"weight: {place}" for place in range(SHAPE[-1]))
    return Case(
        f'type: "ElementwiseLoss" elementwise_loss_param {{ {text} {weights} }}',
        (SHAPE, SHAPE),
        make=signed if embeds else probable,
    )


CASES = [
    *map(elementwise, ElementwiseLossParameter.Operation.keys()),
    Case('type: "ElementwiseLoss" loss_param { normalization: NONE }', (SHAPE, SHAPE)),
    Case('type: "NLLLoss"', (SHAPE, (2, 5, 7)), classes=3),
    Case(
        'type: "NLLLoss" nll_loss_param { axis: -1 } loss_param { ignore_label: 1 '
        "class_weighting: [2, 3, 0.5, 1, 4, 1, 1] }",
        (SHAPE, (2, 3, 5)),
        classes=3,
    ),
    Case('type: "MultiMarginLoss"', ((6, 5), (6,)), classes=5),
    Case(
        'type: "MultiMarginLoss" multi_margin_loss_param { p: 2 margin: 0.7 } loss_param '
        "{ class_weighting: [2, 3, 0.5] ignore_label: 1 }",
        ((6, 3), (6,)),
        classes=3,
    ),
    Case('type: "MultiLabelMarginLoss"', ((6, 5), (6, 5)), classes=5),
    Case('type: "CosineSimilarity"', (SHAPE, SHAPE)),
    Case('type: "CosineSimilarity" cosine_similarity_param { axis: -1 }', (SHAPE, SHAPE)),
    Case('type: "PairwiseDistance"', (SHAPE, (2, 105))),
    Case('type: "PairwiseDistance" pairwise_distance_param { axis: -1 }'),
    Case('type: "PairwiseDistance" pairwise_distance_param { p: 3 axis: 2 }', (SHAPE, SHAPE)),
    Case('type: "PairwiseDistance" pairwise_distance_param { p: 1 }', (SHAPE, SHAPE)),
    Case('type: "Power" power_param { scale: 0.004 }'),
    Case('type: "Power" power_param { scale: -0.7 shift: 2 }'),
    Case('type: "Power" power_param { power: 2 scale: 3 shift: 0.5 }'),
    Case('type: "Power" power_param { power: 3 }'),
    Case('type: "Power" power_param { power: 0.37 scale: 0.83 shift: 0.2 }', positive=True),
    Case('type: "Power" power_param { power: -1.5 scale: 2 }', positive=True),
    Case('type: "Power" power_param { power: 0 }'),
    Case('type: "Power" power_param { power: 3 scale: 0 shift: 2 }'),
    Case('type: "ReLU"', kinks=(0,)),
    Case('type: "ReLU" relu_param { negative_slope: 0.1 }', kinks=(0,)),
    Case('type: "ReLU" relu_param { negative_slope: 1.5 }', kinks=(0,)),
    Case('type: "ReLU" relu_param { negative_slope: -0.3 }', kinks=(0,)),
    Case('type: "Sigmoid"'),
    Case('type: "TanH"'),
    Case('type: "BNLL"'),
    Case('type: "Swish"'),
    Case('type: "Swish" swish_param { beta: -1.7 }'),
    Case('type: "ELU"', kinks=(0,)),
    Case('type: "ELU" elu_param { alpha: 0.3 }', kinks=(0,)),
    Case('type: "ELU" elu_param { alpha: -0.4 }', kinks=(0,)),
    Case('type: "PReLU"', kinks=(0,)),
    Case('type: "PReLU" prelu_param { channel_shared: true }', kinks=(0,)),
    Case('type: "Clip" clip_param { min: -0.5 max: 0.7 }', kinks=(-0.5, 0.7)),
    Case('type: "ReLU6"', ((3, 40, 5),), kinks=(0,)),
    Case('type: "HardSwish"', ((3, 40, 5),), kinks=(-3, 3)),
    Case(
        'type: "Clip" clip_param { min: -0.5 max: 0.7 zero_slope_at_bounds: true }',
        kinks=(-0.5, 0.7),
    ),
    Case('type: "Elementwise"'),
    Case('type: "Elementwise" elementwise_param { operation: SOFTPLUS beta: 1.7 }'),
    Case('type: "Elementwise" elementwise_param { operation: LOG_SIGMOID }'),
    Case('type: "Elementwise" elementwise_param { operation: HARD_SHRINK }', kinks=(-0.5, 0.5)),
    Case(
        'type: "Elementwise" elementwise_param { operation: SOFT_SHRINK lambda: 0.3 }',
        kinks=(-0.3, 0.3),
    ),
    Case(
        'type: "Elementwise" elementwise_param { operation: THRESHOLD threshold: 0.2 value: -3 }',
        kinks=(0.2,),
    ),
    Case('type: "Elementwise" elementwise_param { operation: SQRT }', positive=True),
    Case('type: "RReLU"', kinks=(0,)),
    Case('type: "RReLU" rrelu_param { lower: 0.1 upper: 0.9 }', kinks=(0,), phase=TEST),
    Case('type: "GaussianNoise" gaussian_noise_param { mean: 0.3 std: 2 }', ((3, 5, 7),)),
    Case('type: "GaussianNoise" gaussian_noise_param { mean: 0.3 }', phase=TEST),
    # with another scale, differences would not find this gradient
    Case('type: "GradientScale"'),
    Case('type: "LpNormalization"'),
    Case('type: "LpNormalization" lp_normalization_param { p: 1 axis: -1 }', kinks=(0,)),
    Case('type: "LpNormalization" lp_normalization_param { p: 2.5 eps: 0.3 axis: 2 }', kinks=(0,)),
    Case('type: "LpNormalization" lp_normalization_param { p: inf }', make=apart),
    Case('type: "AbsVal"', kinks=(0,)),
    Case('type: "Exp"'),
    Case('type: "Exp" exp_param { base: 0.5 scale: 2 shift: 1 }'),
    Case('type: "Log"', positive=True),
    Case('type: "Log" log_param { base: 10 scale: 3 shift: 0.5 }', positive=True),
    Case('type: "MVN"'),
    Case('type: "MVN" mvn_param { across_channels: true }'),
    Case('type: "MVN" mvn_param { normalize_variance: false }'),
    Case('type: "Normalize"'),
    Case('type: "Normalize" norm_param { across_spatial: false channel_shared: false }'),
    Case('type: "Normalize" norm_param { channel_shared: false eps: 0.3 }'),
    Case('type: "Normalize" normalize_param { normalize_type: "L1" }', kinks=(0,)),
    Case('type: "Normalize" top: "y" top: "n" normalize_param { bp_norm: true }', ((3, 4, 5),)),
    Case('type: "Softmax"'),
    Case('type: "Softmax" softmax_param { axis: -1 }'),
    Case('type: "LogSoftmax"'),
    Case('type: "LogSoftmax" softmax_param { axis: -1 }'),
    Case('type: "Dropout" dropout_param { dropout_ratio: 0.3 }'),
    Case('type: "Dropout" dropout_param { dropout_ratio: 0.3 mask_axes: 2 }'),
    Case('type: "Dropout"', phase=TEST),
    Case('type: "InnerProduct" inner_product_param { num_output: 4 }'),
    Case('type: "InnerProduct" inner_product_param { num_output: 4 axis: 2 }'),
    Case('type: "InnerProduct" inner_product_param { num_output: 4 axis: -1 transpose: true }'),
    Case('type: "InnerProduct" inner_product_param { num_output: 4 axis: 0 bias_term: false }'),
    Case('type: "Convolution" convolution_param { num_output: 4 kernel_size: 3 }'),
    Case(
        'type: "Convolution" convolution_param { num_output: 6 kernel_h: 3 kernel_w: 2 '
        "stride_h: 2 stride_w: 1 pad_h: 1 pad_w: 0 group: 3 bias_term: false }"
    ),
    Case('type: "Convolution" convolution_param { num_output: 4 kernel_size: 1 }'),
    Case(
        'type: "Convolution" convolution_param { num_output: 2 kernel_size: 2 pad: 1 '
        "dilation: 2 stride: 2 }",
        ((2, 3, 4, 5, 6),),
    ),
    Case(
        'type: "Convolution" convolution_param { num_output: 2 kernel_size: 3 axis: 2 }',
        ((2, 3, 4, 5),),
    ),
    Case('type: "DepthwiseConvolution" convolution_param { num_output: 6 kernel_size: 3 pad: 1 }'),
    Case('type: "ConvolutionDepthwise" convolution_param { num_output: 3 kernel_size: 2 }'),
    Case('type: "Deconvolution" convolution_param { num_output: 4 kernel_size: 3 stride: 2 }'),
    Case(
        'type: "Deconvolution" convolution_param { num_output: 6 kernel_size: 4 stride: 3 pad: 1 '
        "group: 3 dilation: 2 bias_term: false }"
    ),
    Case('type: "Deconvolution" convolution_param { num_output: 4 kernel_size: 1 }'),
    Case(
        'type: "Deconvolution" convolution_param { num_output: 2 kernel_h: 3 kernel_w: 4 '
        "stride: 3 pad: 1 output_padding: 2 output_padding: 1 }"
    ),
    Case('type: "Im2col" convolution_param { kernel_size: 3 stride: 2 pad: 1 }'),
    Case('type: "Pooling" pooling_param { kernel_size: 3 stride: 2 }'),
    Case('type: "Pooling" pooling_param { kernel_size: 3 stride: 2 pad: 1 round_mode: FLOOR }'),
    Case('type: "Pooling" pooling_param { pool: AVE kernel_h: 3 kernel_w: 2 stride: 2 pad: 1 }'),
    Case('type: "Pooling" pooling_param { pool: AVE global_pooling: true }'),
    Case('type: "Pooling" pooling_param { kernel_size: 2 pad: 1 dilation_h: 2 dilation_w: 3 }'),
    Case(
        'type: "NdPooling" pooling_param { kernel_shape { dim: 2 } dilation_shape { dim: 2 dim: 1 '
        "dim: 3 } }",
        (VOLUME,),
    ),
    Case('type: "Pooling" pooling_param { kernel_size: 3 stride: 2 pad_l: 1 pad_b: 2 }'),
    Case('type: "Pooling" pooling_param { pool: AVE kernel_size: 3 stride: 2 pad_l: 1 pad_b: 2 }'),
    Case('type: "Pooling" pooling_param { pool: AVE_EXC_PAD kernel_size: 3 stride: 2 pad: 1 }'),
    Case('type: "Pooling" pooling_param { pool: STOCHASTIC kernel_size: 2 }', positive=True),
    Case(
        'type: "Convolution3D" convolution_param { num_output: 2 kernel_size: 3 kernel_depth: 2 '
        "stride: 2 pad: 1 }",
        (VOLUME,),
    ),
    Case(
        'type: "NdConvolution" convolution_param { num_output: 2 kernel_shape { dim: 2 dim: 3 '
        "dim: 1 } pad_shape { dim: 1 dim: 0 dim: 0 } }",
        (VOLUME,),
    ),
    Case(
        'type: "Deconvolution3D" convolution_param { num_output: 2 kernel_size: 2 kernel_depth: 3 '
        "stride: 2 temporal_stride: 1 temporal_pad: 1 }",
        (VOLUME,),
    ),
    Case(
        'type: "Pooling3D" pooling_param { kernel_size: 3 kernel_depth: 2 stride: 2 pad: 1 }',
        (VOLUME,),
    ),
    Case('type: "Pooling3D" pooling_param { pool: AVE global_pooling: true }', (VOLUME,)),
    Case(
        'type: "NdPooling" pooling_param { pool: AVE kernel_shape { dim: 2 dim: 3 dim: 2 } '
        "stride_shape { dim: 2 dim: 2 dim: 3 } pad_shape { dim: 1 dim: 0 dim: 1 } }",
        (VOLUME,),
    ),
    Case(
        'type: "LocallyConnected" convolution_param { num_output: 4 kernel_h: 3 kernel_w: 2 '
        'stride: 2 pad: 1 weight_filler { type: "gaussian" } bias_filler { type: "gaussian" } }'
    ),
    Case(
        'type: "LocallyConnected" convolution_param { num_output: 2 kernel_size: 2 dilation: 2 '
        'bias_term: false weight_filler { type: "gaussian" } }',
        ((2, 3, 4, 3, 5),),
    ),
    Case(
        'type: "TableConvolution" connection_param { input: [0, 2, 1] output: [0, 0, 2] } '
        'convolution_param { kernel_h: 3 kernel_w: 2 stride: 2 weight_filler { type: "gaussian" } }'
    ),
    Case(
        'type: "TableDeconvolution" connection_param { input: [0, 1] output: [1, 0] } '
        'convolution_param { num_output: 3 kernel_size: 2 weight_filler { type: "gaussian" } }'
    ),
    Case(
        'type: "FractionalPooling" fractional_pooling_param { kernel_size: [2, 3] '
        "output_size: [3, 4] }",
    ),
    Case(
        'type: "FractionalPooling" fractional_pooling_param { kernel_size: [2, 2, 2] '
        "output_ratio: [0.6, 0.7, 0.5] }",
        (VOLUME,),
    ),
    Case('type: "KMaxPooling" k_max_pooling_param { k: 2 }', ((2, 5, 3),)),
    Case('type: "KMaxPooling" k_max_pooling_param { k: 4 axis: -1 }', ((2, 3, 5),)),
    Case('type: "AdaptivePooling" adaptive_pooling_param { output_h: 3 output_w: 4 }'),
    Case(
        'type: "AdaptivePooling" adaptive_pooling_param { output_h: 2 output_w: 3 }',
        ((2, 3, 4, 9),),
    ),
    Case('type: "AdaptivePooling" adaptive_pooling_param { pool: AVE output_h: 3 output_w: 9 }'),
    Case('type: "SPP" spp_param { pyramid_height: 3 }', ((2, 3, 9, 11),)),
    Case('type: "SPP" spp_param { pyramid_height: 2 pool: AVE }', ((2, 3, 9, 11),)),
    Case('type: "LRN" lrn_param { local_size: 3 alpha: 0.7 beta: 0.6 k: 2 }'),
    Case('type: "LRN" lrn_param { alpha: 2 }'),
    Case('type: "LRN" lrn_param { local_size: 3 alpha: 0.7 norm_region: WITHIN_CHANNEL }'),
    Case('type: "Bias" bias_param { filler { type: "gaussian" } }'),
    Case('type: "Bias" bias_param { axis: 0 num_axes: -1 }'),
    Case('type: "Scale" scale_param { bias_term: true }'),
    Case('type: "Scale" scale_param { num_axes: 0 filler { value: 3 } }'),
    Case('type: "Scale" scale_param { axis: 0 }', (SHAPE, SHAPE)),
    Case('type: "BatchNorm"'),
    Case('type: "BatchNorm" batch_norm_param { scale_bias: true }'),
    Case('type: "BatchNorm" batch_norm_param { running_averages: true }'),
    Case('type: "BN" bn_param { slope_filler { value: 2 } bias_filler { value: 3 } }'),
    Case('type: "BN" bn_param { scale_filler { value: 2 } }'),
    Case('type: "BN" bn_param { scale_filler { value: 2 } bn_mode: INFERENCE }'),
    Case('type: "EuclideanLoss"', ((6, 2), (6, 1, 1, 2))),
    Case(
        'type: "LabelSpecificAdd" label_specific_add_param { bias: -0.35 }',
        ((6, 5), (6,)),
        kinks=(0.35,),
        classes=5,
    ),
    Case('type: "SoftmaxWithLoss"', ((6, 5), (6,)), classes=5),
    Case('type: "SoftmaxWithLoss" softmax_param { axis: 2 }', (SHAPE, (2, 3, 1, 7)), classes=5),
    Case(
        'type: "SoftmaxWithLoss" top: "l" top: "p" loss_param { normalization: FULL '
        "ignore_label: 2 }",
        (SHAPE, (2, 5, 7)),
        classes=3,
    ),
    Case(
        'type: "SoftmaxWithLoss" loss_param { ignore_label: 1 }', (SHAPE, (2, 1, 5, 7)), classes=3
    ),
    Case(
        'type: "SoftmaxWithLoss" loss_param { normalization: NONE }', (SHAPE, (2, 5, 7)), classes=3
    ),
    Case('type: "SoftmaxWithLoss" loss_param { normalize: false }', (SHAPE, (70,)), classes=3),
    Case(
        'type: "SoftmaxWithLoss" loss_param { label_smoothing: 0.1 ignore_label: 1 }',
        (SHAPE, (2, 5, 7)),
        classes=3,
    ),
    Case(
        'type: "SoftmaxWithLoss" loss_param { weight_by_label_freqs: true class_weighting: 2 '
        "class_weighting: 0.5 class_weighting: 3 ignore_label: 1 }",
        (SHAPE, (2, 5, 7)),
        classes=3,
    ),
    Case('type: "L1Loss"', ((6, 2), (6, 1, 1, 2))),
    Case('type: "AbsLoss"', ((6, 2), (6, 1, 1, 2))),
    Case('type: "DiceCoefLoss"', (SHAPE, SHAPE)),
    Case('type: "SigmoidCrossEntropyBalanceLoss"', (SHAPE, SHAPE), classes=3),
    Case('type: "ContinuationIndicator" continuation_indicator_param { time_step: 4 }', ((3, 2),)),
    Case('type: "SmoothL1Loss"', (SHAPE, SHAPE)),
    Case('type: "SmoothL1Loss" smooth_l1_loss_param { sigma: 3 }', (SHAPE, SHAPE, SHAPE)),
    Case('type: "SmoothL1Loss"', (SHAPE,) * 4),
    Case('type: "HingeLoss"', ((6, 5), (6,)), kinks=(-1, 1), classes=5),
    Case('type: "HingeLoss" hinge_loss_param { norm: L2 }', (SHAPE, (2, 1)), classes=105),
    Case('type: "MultinomialLogisticLoss"', ((6, 5), (6,)), classes=5, positive=True),
    Case(
        'type: "InfogainLoss"',
        ((6, 5), (6,), (1, 1, 5, 5)),
        classes=5,
        label=1,
        alone=frozenset({2}),
    ),
    Case(
        'type: "InfogainLoss" top: "l" top: "p" infogain_loss_param { axis: 2 } '
        "loss_param { ignore_label: 0 }",
        (SHAPE, (2, 3, 7), (5, 5)),
        classes=5,
        label=1,
        alone=frozenset({2}),
    ),
    Case('type: "SigmoidCrossEntropyLoss"', (SHAPE, (2, 105)), classes=2),
    Case(
        'type: "SigmoidCrossEntropyLoss" loss_param { ignore_label: 2 normalization: VALID }',
        (SHAPE, SHAPE),
        classes=3,
    ),
    Case(
        'type: "ContrastiveLoss" contrastive_loss_param { margin: 7 legacy_version: true }',
        ((6, 4), (6, 4), (6,)),
        classes=2,
    ),
    Case('type: "Flatten"'),
    Case('type: "Flatten" flatten_param { axis: 1 end_axis: -2 }'),
    Case('type: "Reshape" reshape_param { shape { dim: 0 dim: -1 dim: 7 } }'),
    Case('type: "Reshape" reshape_param { shape { dim: -1 } axis: 1 num_axes: 2 }'),
    Case('type: "Reshape" reshape_param { pixelshuffler: 2 }', ((2, 12, 3, 5),)),
    Case('type: "Squeeze"', ((2, 1, 3, 1, 5),)),
    Case('type: "DepthToSpace" depth_to_space_param { block_size: 2 }', ((2, 3, 5, 8),)),
    Case(
        'type: "DepthToSpace" depth_to_space_param { block_size: 2 data_format: "DCR" }',
        ((2, 8, 3, 5),),
    ),
    Case(
        'type: "DepthToSpace" depth_to_space_param { block_size: 2 data_format: "CRD" }',
        ((2, 8, 3, 5),),
    ),
    Case(
        'type: "SpaceToBatchND" space_to_batch_nd_param { block_shape: [2, 3] '
        "paddings: [1, 0, 2, 2] }",
        ((2, 3, 5, 4),),
    ),
    Case(
        'type: "BatchToSpaceND" batch_to_space_nd_param { block_shape: [2, 3] '
        "crops: [1, 0, 2, 2] }",
        ((12, 3, 5, 4),),
    ),
    Case('type: "SeLu"', kinks=(0,)),
    Case(
        'type: "Correlation" correlation_param { kernel_size: 1 max_displacement: 1 pad: 1 }',
        ((2, 3, 4, 5),) * 2,
    ),
    Case('type: "FlowWarp"', make=warped),
    Case('type: "ChannelNorm"'),
    Case('type: "Resample" resample_param { height: 3 width: 9 }'),
    Case('type: "Mean" mean_param { operation: SUBTRACT value: [1, 2, 3] }', (SHAPE, SHAPE)),
    Case('type: "L1Loss" l1_loss_param { l2_per_location: true }', (SHAPE, SHAPE)),
    Case('type: "L1Loss" l1_loss_param { plateau: 0.1 }', (SHAPE, SHAPE)),
    Case('type: "Gather" top: "a" top: "b"', (SHAPE, (3, 4))),
    Case(
        'type: "LabelSpecificRescale" label_specific_rescale_param { positive_weight: 3 '
        "negative_weight: 0.5 }",
        ((6, 5), (6,)),
        classes=5,
    ),
    Case('type: "SeLuDropout" selu_dropout_param { dropout_ratio: 0.4 }'),
    Case('type: "SeLuDropout"', phase=TEST),
    Case('type: "Squeeze" squeeze_param { axis: -2 }', ((2, 1, 3, 1, 5),)),
    Case('type: "Pad" pad_param { paddings: [1, 0, 0, 2, 3, 1] constant_values: 2 }', ((4, 3, 2),)),
    Case('type: "Pad" pad_param { paddings: [0, 0, -1, -2, 2, -1] }', ((2, 7, 3),)),
    Case('type: "MatMul"', ((2, 3, 4, 5), (2, 3, 5, 6))),
    Case('type: "MatMul" mat_mul_param { transpose_a: true }', ((2, 4, 3), (2, 4, 5))),
    Case('type: "MatMul" mat_mul_param { transpose_b: true }', ((2, 3, 4), (2, 5, 4))),
    Case(
        'type: "MatMul" mat_mul_param { transpose_a: true transpose_b: true }',
        ((2, 4, 3), (2, 5, 4)),
    ),
    Case('type: "Pad" pad_param { mode: REFLECT paddings: [0, 0, 2, -1, 3, 1] }', ((4, 3, 5),)),
    Case('type: "Pad" pad_param { mode: EDGE paddings: [0, 0, -1, 4, 2, 1] }', ((4, 3, 5),)),
    Case('type: "Add"', ((2, 3, 4, 5), (3, 1, 5)), alone=frozenset({1})),
    Case('type: "Add"', (SHAPE, SHAPE)),
    Case('type: "Mul"', ((2, 3, 4, 5), (3, 1, 5)), alone=frozenset({1})),
    Case('type: "Mul"', ((3, 1, 5), (2, 3, 4, 5)), alone=frozenset({0})),
    Case('type: "Split" top: "a" top: "b" top: "c"'),
    Case('type: "Split" top: "a"'),
    Case('type: "Eltwise"', (SHAPE, SHAPE)),
    Case('type: "Eltwise" eltwise_param { coeff: 2 coeff: -0.5 coeff: 1 }', (SHAPE,) * 3),
    Case('type: "Eltwise" eltwise_param { operation: PROD }', (SHAPE,) * 3),
    Case(
        'type: "Eltwise" eltwise_param { operation: PROD stable_prod_grad: false }',
        (SHAPE,) * 3,
        positive=True,
    ),
    Case('type: "Eltwise" eltwise_param { operation: MAX }', (SHAPE,) * 3),
    Case('type: "Slice" top: "a" top: "b"', ((3, 4, 5),)),
    Case('type: "Slice" top: "a"'),
    Case(
        'type: "Slice" top: "a" top: "b" top: "c" '
        "slice_param { axis: -1 slice_point: 1 slice_point: 3 }"
    ),
    Case('type: "Slice" top: "a" top: "b" slice_param { slice_dim: 2 slice_point: 2 }'),
    Case('type: "Reduction"'),
    Case('type: "Reduction" reduction_param { operation: ASUM axis: -2 }', kinks=(0,)),
    Case('type: "Reduction" reduction_param { operation: SUMSQ axis: 1 coeff: -0.4 }'),
    Case('type: "Reduction" reduction_param { operation: MEAN axis: 2 coeff: 3 }'),
    Case('type: "Reduction" reduction_param { axis: 1 num_axes: 2 coeff: 3 }'),
    Case('type: "Reduction" reduction_param { operation: SUMSQ axis: 1 num_axes: 1 }'),
    Case('type: "Reduction" reduction_param { operation: MAX axis: 1 }', make=apart),
    Case(
        'type: "Reduction" reduction_param { operation: MIN axis: 1 num_axes: 1 coeff: -2 }',
        make=apart,
    ),
    Case('type: "Tile" tile_param { tiles: 3 }'),
    Case('type: "Tile" tile_param { tiles: 2 axis: -1 }'),
    Case('type: "Crop" crop_param { offset: 2 offset: 1 }', (SHAPE, (2, 3, 3, 4))),
    Case('type: "Crop" crop_param { axis: -3 offset: 1 }', (SHAPE, (9, 2, 3, 4))),
    Case('type: "Embed" embed_param { input_dim: 5 num_output: 4 }', ((6, 3),), classes=5),
    Case(
        'type: "Embed" embed_param { input_dim: 5 num_output: 4 bias_term: false }',
        ((8,),),
        classes=5,
    ),
    Case('type: "OneHot" one_hot_param { num_output: 5 }', ((6, 3),), classes=5),
    Case(
        'type: "Python" top: "y" python_param { module: "tests.layers.python_layers" '
        'layer: "ScaledSquare" param_str: "3" }'
    ),
    Case('type: "Filter" top: "a" top: "b"', ((5, 3, 2), (5, 4), (5,)), classes=2),
    Case('type: "BatchReindex"', ((5, 3, 2), (7,)), classes=5),
    Case('type: "Permute" permute_param { order: 0 order: 2 order: 3 order: 1 }'),
    Case('type: "Permute" permute_param { order: 2 }'),
    Case('type: "Reverse" reverse_param { axis: 2 }'),
    Case('type: "Reverse"'),
    Case('type: "Flip" flip_param { flip_height: true }'),
    Case('type: "Flip"'),
    Case('type: "ShuffleChannel" shuffle_channel_param { group: 3 }', ((2, 6, 5, 7),)),
    Case('type: "Reorg" reorg_param { stride: 2 }', ((3, 8, 4, 6),)),
    Case('type: "Reorg" reorg_param { stride: 3 reverse: true }', ((2, 18, 5, 7),)),
    Case('type: "Upsample" upsample_param { scale_h: 3 scale_w: 2 }'),
    Case('type: "Upsample"', make=places),
    Case('type: "Unpooling" unpooling_param { kernel_size: 2 unpool_size: 13 stride: 2 }'),
    Case(
        'type: "Unpooling" unpooling_param { kernel_size: 2 unpool_h: 4 unpool_w: 6 }', make=places
    ),
    Case('type: "Unpooling" unpooling_param { unpool: AVE kernel_size: 3 unpool_size: 8 }'),
    Case('type: "Unpooling" unpooling_param { unpool: TILE kernel_size: 3 unpool_size: 8 }'),
    Case('type: "Interp" interp_param { zoom_factor: 3 }'),
    Case(
        'type: "ResizeBilinear" resize_bilinear_param { data_format: "NCHW" scale_height: 1.5 '
        "output_width: 4 }"
    ),
    Case(
        'type: "ResizeNearestNeighbor" resize_nearest_neighbor_param { data_format: "NCHW" '
        "scale_height: 2 scale_width: 1.5 }"
    ),
    Case('type: "Interp" interp_param { use_blob_size: true }', (SHAPE, (2, 1, 4, 9))),
    Case('type: "Interp" interp_param { height: 4 width: 9 pad_beg: -1 pad_end: -1 }'),
    Case('type: "MultiBoxLoss" multibox_loss_param { num_classes: 3 }', make=objects),
    Case('type: "MultiBoxFocalLoss" multibox_loss_param { num_classes: 3 }', make=objects),
    Case(
        'type: "ROIPooling" roi_pooling_param { pooled_h: 3 pooled_w: 2 spatial_scale: 0.5 }',
        make=lambda: regions(3),
    ),
    Case(
        'type: "ROIAlign" roi_align_param { pooled_h: 3 pooled_w: 2 spatial_scale: 0.5 }',
        make=lambda: regions(3),
    ),
    Case(
        'type: "PSROIPooling" psroi_pooling_param '
        "{ output_dim: 3 group_size: 2 spatial_scale: 0.5 }",
        make=lambda: regions(12),
    ),
    Case(
        'type: "MultiStageMeanfield" multi_stage_meanfield_param { num_iterations: 3 '
        "theta_alpha: 3 theta_beta: 8 theta_gamma: 2 bilateral_filter_weight: 1.3 }",
        make=pictured,
    ),
    Case('type: "SmoothL1LossOHEM"', ((6, 8, 3, 2), (6, 8, 3, 2))),
    Case('type: "SoftmaxWithLossOHEM"', ((6, 5), (6, 1)), classes=5),
    Case(
        'type: "RegionLoss" region_loss_param { num_class: 3 num: 2 biases: [1, 2, 3, 2] '
        "rescore: 0 }",
        make=described,
    ),
    Case(
        'type: "Yolov3" yolov3_param { num_class: 3 num: 2 biases: [40, 50, 30, 60] mask: [1, 0] }',
        make=described,
    ),
    Case(
        'type: "CtcLoss" ctc_loss_param { alphabet_size: 4 time_step: 6 blank_label: 1 }',
        ((6, 3, 4), (3, 2)),
        classes=4,
    ),
    Case('type: "CTCLoss"', make=sequences),
    Case('type: "WarpCTCLoss"', ((6, 3, 4), (3, 2)), classes=4),
    Case('type: "Axpy"', ((2, 3), SHAPE, SHAPE)),
    Case(
        'type: "InnerDistance" inner_distance_param { num_output: 4 '
        'weight_filler { type: "gaussian_unitball" } }'
    ),
    Case('type: "InnerDistance"', ((6, 3, 5), (4, 15)), alone=frozenset({1})),
    Case(
        'type: "InnerDistance" inner_distance_param { distance_type: "L1" }',
        ((6, 15), (4, 15)),
        alone=frozenset({1}),
    ),
    Case(
        'type: "GeneralContrastiveLoss" general_contrastive_loss_param { positive_margin: 0.2 '
        "positive_outlier_thresh: 1 negative_weight: 0.7 }",
        ((6, 5), (6,)),
        classes=5,
        positive=True,
    ),
    Case(
        'type: "GeneralContrastiveLoss" general_contrastive_loss_param '
        "{ exp_negative_weight: true }",
        ((6, 5), (6,)),
        classes=5,
        positive=True,
    ),
    Case(
        'type: "GeneralTripletLoss" general_triplet_loss_param { hardest_only: true '
        "add_center_loss: false margin: 1 }",
        ((6, 5), (6,)),
        classes=5,
        positive=True,
    ),
    Case('type: "ChannelScale"', (SHAPE, (2, 1, 5, 7))),
    Case('type: "Axpy"', ((2, 3, 1, 1), SHAPE, SHAPE)),
    Case('type: "Concat"', ((2, 3, 4), (2, 6, 4), (2, 1, 4))),
    Case('type: "Concat" concat_param { axis: -1 }', ((2, 3, 4), (2, 3, 5))),
    Case('type: "Concat" concat_param { concat_dim: 0 }', ((2, 3), (5, 3))),
    Case('type: "Silence"', ((2, 3), (4,))),
]


def detectnet_bottoms() -> list[np.ndarray]:
    """Two images 16x24, the first with two boxes of classes 1 and 4."""
    tables = np.zeros((2, 1, 4, 16))
    tables[:, 0, 0, 1] = 16
    tables[0, 0, 0, 0] = 2
    tables[0, 0, 1, :6] = [2, 3, 9, 8, 0, 1]
    tables[0, 0, 2, :6] = [12, 4, 10, 11, 0, 4]
    return [np.random.default_rng(7).uniform(0, 255, (2, 3, 16, 24)), tables]


METRICS = [
    Case('type: "Downsample" downsample_param { top_height: 3 top_width: 4 }'),
    Case(
        'type: "DetectionLoss" detection_loss_param { cls_num: 3 field_w: 20 field_h: 30 '
        "downsample_rate: 8 }",
        make=lambda: [np.zeros((2, 7, 4, 6)), np.zeros((2, 6, 4, 6))],
    ),
    Case(
        'type: "DetectionGroupLoss" detection_group_loss_param { cls_num: 2 field_w: [20, 40] '
        "field_h: [30, 24] stride: 8 }",
        make=lambda: [np.zeros((4, 2, 3, 5)), np.zeros((4, 4, 3, 5)), np.zeros((4, 6, 3, 5))],
    ),
    Case(
        'type: "DetectionAccuracy" top: "a" top: "b" detection_accuracy_param { cls_num: 3 '
        "field_w: 20 field_h: 30 downsample_rate: 8 }",
        make=lambda: [np.zeros((2, 7, 4, 6)), np.zeros((2, 6, 4, 6))],
    ),
    Case(
        'type: "DetectionGroupAccuracy" detection_group_accuracy_param { cls_num: 2 '
        "field_w: [20, 40] field_h: [30, 24] stride: 8 }",
        make=lambda: [np.zeros((4, 2, 3, 5)), np.zeros((4, 4, 3, 5)), np.zeros((4, 6, 3, 5))],
    ),
    Case(
        'type: "MarginInnerProduct" top: "y" top: "l" margin_inner_product_param '
        '{ num_output: 5 type: QUADRUPLE weight_filler { type: "xavier" } }',
        ((6, 3, 2), (6,)),
        classes=5,
    ),
    Case('type: "BboxAccuracy" top: "a" top: "b"', ((6, 8), (6, 5), (6, 6)), classes=2),
    Case(
        'type: "ProposalTarget" top: "a" top: "b" top: "c" top: "d" top: "e" top: "f" '
        "proposal_target_param { cls_num: 3 img_width: 64 img_height: 48 }",
        make=lambda: [np.zeros((6, 5)), np.ones((2, 8))],
    ),
    Case('type: "HardMining"', make=lambda: [np.arange(6.0).reshape(6, 1), np.zeros((6, 5))]),
    Case(
        'type: "FrcnnOutput"',
        make=lambda: [np.ones((6, 3)), np.zeros((6, 12)), np.zeros((6, 5)), np.full((1, 2), 9)],
    ),
    Case(
        'type: "BoxOutput" top: "rois" top: "scored" box_output_param '
        "{ field_w: 20 field_h: 30 downsample_rate: 8 }",
        ((2, 7, 4, 6),),
    ),
    Case(
        'type: "BoxGroupOutput" box_group_output_param { box_group_param '
        "{ stride: 8 field_w: [20, 40] field_h: [30, 24] } }",
        ((4, 3, 3, 5), (4, 4, 3, 5)),
        positive=True,
    ),
    Case('type: "DecodeBBox"', ((6, 8), (6, 5))),
    Case('type: "ScaleRoute" scale_route_param { low_scale: 1 }', ((6, 5),)),
    Case(
        'type: "Accuracy" top: "all" accuracy_param { min_is_better: true }',
        ((6, 5), (6,)),
        classes=5,
    ),
    Case(
        'type: "DetectNetTransformation" top: "maps" detectnet_groundtruth_param '
        "{ image_size_x: 24 image_size_y: 16 object_class { src: 1 dst: 0 } "
        "object_class { src: 4 dst: 1 } }",
        ((2, 3, 16, 24), (2, 1, 4, 16)),
        make=detectnet_bottoms,
    ),
    Case('type: "Accuracy" top: "all" top: "each"', ((6, 5), (6,)), classes=5),
    Case(
        'type: "Accuracy" top: "all" top: "each" accuracy_param { top_k: 2 ignore_label: 1 }',
        (SHAPE, (2, 1, 5, 7)),
        classes=3,
    ),
    Case(
        'type: "CenterLoss" center_loss_param { num_output: 4 center_filler { value: 2 } }',
        ((6, 3, 5), (6,)),
        classes=4,
    ),
    Case('type: "LabelsequenceAccuracy"', ((3, 6, 4), (3, 2)), classes=4),
    Case(
        'type: "SegAccuracy" top: "all" top: "one" '
        "seg_accuracy_param { ignore_label: 0 output_label: 2 }",
        (SHAPE, (2, 1, 5, 7)),
        classes=3,
    ),
    Case('type: "Threshold"'),
    Case('type: "Compare" compare_param { operation: GE value: 0.3 }'),
    Case('type: "Compare" compare_param { operation: LT }', (SHAPE, SHAPE)),
    Case('type: "ContrastiveLoss"', ((6, 4), (6, 4, 1, 1), (6,)), classes=2),
    Case('type: "ArgMax"'),
    Case('type: "ArgMax" argmax_param { out_max_val: true top_k: 3 }'),
    Case('type: "ArgMax" argmax_param { axis: -2 top_k: 2 }'),
    Case(
        'type: "YoloDetectionOutput" yolo_detection_output_param '
        "{ num_classes: 3 num_box: 2 biases: [1, 2, 3, 1] }",
        ((2, 16, 3, 5),),
    ),
    Case(
        'type: "Yolov3DetectionOutput" yolov3_detection_output_param { num_classes: 2 num_box: 1 '
        "biases: [1, 2, 3, 1] mask: [1, 0] anchors_scale: [2, 1] }",
        ((2, 7, 3, 5), (2, 7, 6, 10)),
    ),
    Case(
        'type: "DetectionOutput" detection_output_param { num_classes: 3 keep_top_k: 4 }',
        ((2, 20), (2, 15), (1, 2, 20)),
    ),
    Case(
        'type: "BoxAnnotatorOHEM" box_annotator_ohem_param { roi_per_img: 2 }',
        ((6, 5), (6, 1), (6, 1), (6, 8)),
    ),
    Case(
        'type: "Proposal" top: "rois" top: "scores" proposal_param { feat_stride: 4 base_size: 4 '
        "min_size: 2 ratio: 1 ratio: 2 scale: 1 scale: 2 post_nms_topn: 9 }",
        make=scored,
    ),
    Case('type: "PriorBox" prior_box_param { min_size: 3 max_size: 5 }', (SHAPE, (2, 3, 9, 11))),
    Case(
        'type: "DetectionEvaluate" detection_evaluate_param { num_classes: 3 }',
        make=lambda: [np.array([[0, 1, 0.9, 0.1, 0.2, 0.5, 0.6]]), objects()[3]],
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.text)
def test_the_contract_holds(case: Case) -> None:
    """Tops whole and the same each time; gradients by differences; in place; GPU and CPU alike."""
    check_layer(case.text, case.bottoms(), phase=case.phase)


@pytest.mark.parametrize("case", METRICS, ids=lambda case: case.text)
def test_what_comes_before_the_passes_changes_nothing(case: Case) -> None:
    """Of CASES, ``check_layer`` asks the same."""
    check_pure(case.text, [each.shape for each in case.bottoms()], phase=case.phase)


ON_THE_HOST = {
    "WarpCTCLoss",
    "FlowWarp",
    "KMaxPooling",
    "ProposalTarget",
    "HardMining",
    "FrcnnOutput",
    "DetectionAccuracy",
    "DetectionGroupAccuracy",
    "BboxAccuracy",
    "DetectionLoss",
    "DetectionGroupLoss",
    "BoxAnnotatorOHEM",
    "BoxGroupOutput",
    "BoxOutput",
    "DecodeBBox",
    "ScaleRoute",
    "CTCLoss",
    "CtcLoss",
    "DetectNetTransformation",
    "DetectionEvaluate",
    "DetectionOutput",
    "LabelsequenceAccuracy",
    "MultiBoxFocalLoss",
    "MultiBoxLoss",
    "MultiStageMeanfield",
    "PSROIPooling",
    "Proposal",
    "Python",
    "ROIAlign",
    "ROIPooling",
    "RegionLoss",
    "YoloDetectionOutput",
    "Yolov3",
    "Yolov3DetectionOutput",
}
"""Layers of boxes, where NumPy works in arrays as long as what is found; sorting; users' code."""


@pytest.mark.parametrize(
    "case",
    [case for case in [*CASES, *METRICS] if case.type not in ON_THE_HOST],
    ids=lambda case: case.text,
)
def test_a_pass_allocates_nothing(case: Case) -> None:
    """At a batch so much larger that every array is above the limit. Users do as they like."""
    bottoms = case.bottoms()
    items = [array for place, array in enumerate(bottoms) if place not in case.alone]
    repeats = 1 + 150_000 // min(array.size for array in items)
    bottoms = [
        array if place in case.alone else np.concatenate([array] * repeats)
        for place, array in enumerate(bottoms)
    ]
    check_steady(case.text, bottoms, phase=case.phase)


@pytest.mark.parametrize(
    "folder",
    sorted(
        path.parent
        for root in (GOLDEN, FORKS)
        for pattern in ("*/*/data.npz", "missing/DetectionEvaluate/*/data.npz")
        for path in root.glob(pattern)
        if path.parts[-3] in layer_types() and layer_class(path.parts[-3]).bottoms != (0, 0)
    ),
    ids=lambda folder: "/".join(folder.parts[-2:]),
)
def test_layers_compute_what_caffe_computed(folder: Path) -> None:
    check_golden(folder, gradients="/".join(folder.parts[-2:]) not in FORWARD_ONLY)


RECURRENT = {"LSTM", "LSTMUnit", "Lstm", "RNN"}
"""Layers that need marks of 0 and 1 in the middle: test_recurrent.py holds them to the same."""

WRITES = {"HDF5Output"}
"""Layers without a top or a gradient that write a file: test_hdf5_output.py reads it."""


def test_no_layer_is_left_out() -> None:
    with_bottoms = {name for name in layer_types() if layer_class(name).bottoms != (0, 0)}
    assert {case.type for case in [*CASES, *METRICS]} == with_bottoms - RECURRENT - WRITES
    roots = (GOLDEN, FORKS, FORKS / "missing")
    golden = {path.name for root in roots for path in root.iterdir()}
    assert with_bottoms - NO_GOLDEN - WRITES <= golden


@pytest.mark.gpu
@pytest.mark.parametrize("case", [*CASES, *METRICS], ids=lambda case: case.text)
def test_a_gpu_computes_the_same(case: Case) -> None:
    check_devices(case.text, case.bottoms(), Device("cuda:0"), phase=case.phase)
