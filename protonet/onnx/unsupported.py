"""Layer types that have no converter, with the reason."""

from __future__ import annotations

_DATA = "reads data by itself; ONNX models are given theirs: export the net with an Input layer"
_LOSS = "is for training; export the deploy net, which ends before it"
_MEASURE = "measures a training; export the deploy net, which ends before it"

_BOXES = (
    "keeps a number of boxes that ONNX cannot give as it is; export a copy of the text without it"
)

UNSUPPORTED: dict[str, str] = {
    **dict.fromkeys(
        (
            "AnnotatedData",
            "WindowSegData",
            "ImageGtData",
            "DetectionData",
            "EvalData",
            "Data",
            "DenseImageData",
            "DetectNetTransformation",
            "DummyData",
            "HDF5Data",
            "ImageData",
            "ImageLabelmapData",
            "ImageSegData",
            "MemoryData",
            "VideoData",
            "WindowData",
        ),
        _DATA,
    ),
    **dict.fromkeys(
        (
            "AbsLoss",
            "WarpCTCLoss",
            "MarginInnerProduct",
            "DetectionLoss",
            "DetectionGroupLoss",
            "CTCLoss",
            "CenterLoss",
            "ContrastiveLoss",
            "CtcLoss",
            "DiceCoefLoss",
            "ElementwiseLoss",
            "EuclideanLoss",
            "GeneralContrastiveLoss",
            "GeneralTripletLoss",
            "HingeLoss",
            "InfogainLoss",
            "L1Loss",
            "MultiBoxFocalLoss",
            "MultiBoxLoss",
            "MultiLabelMarginLoss",
            "MultiMarginLoss",
            "MultinomialLogisticLoss",
            "NLLLoss",
            "SigmoidCrossEntropyBalanceLoss",
            "RegionLoss",
            "SigmoidCrossEntropyLoss",
            "SmoothL1Loss",
            "SmoothL1LossOHEM",
            "SoftmaxWithLoss",
            "SoftmaxWithLossOHEM",
            "Yolov3",
        ),
        _LOSS,
    ),
    **dict.fromkeys(
        ("Accuracy", "DetectionAccuracy", "DetectionGroupAccuracy", "BboxAccuracy", "SegAccuracy"),
        _MEASURE,
    ),
    "BoxAnnotatorOHEM": _LOSS,
    "ContinuationIndicator": "marks sequences for recurrent layers that ONNX has not",
    "DetectionEvaluate": _MEASURE,
    "LabelsequenceAccuracy": _MEASURE,
    "DetectionOutput": "keeps a number of boxes that ONNX's NonMaxSuppression cannot give; export "
    "a copy of the text without this layer, whose outputs are offsets, scores and priors",
    "FractionalPooling": "draws at random, which a model cannot repeat",
    "HDF5Output": "writes a file",
    **dict.fromkeys(
        (
            "BoxGroupOutput",
            "BoxOutput",
            "ProposalTarget",
            "HardMining",
            "FrcnnOutput",
            "DecodeBBox",
            "ScaleRoute",
        ),
        _BOXES,
    ),
    **dict.fromkeys(("YoloDetectionOutput", "Yolov3DetectionOutput"), _BOXES),
    "Lstm": "may begin sequences anew where its second bottom is 0, which ONNX's LSTM cannot; a "
    "net unrolled with LSTMUnit can be exported",
    "LSTM": "begins sequences anew where its second bottom is 0, which ONNX's LSTM cannot; a net "
    "unrolled with LSTMUnit can be exported",
    "MultiStageMeanfield": "has no operator in ONNX; export the net up to it",
    "PSROIPooling": "has no operator in ONNX; export the net up to it",
    "Proposal": "keeps a number of boxes that ONNX's NonMaxSuppression cannot give; export "
    "a copy of the text without this layer, whose outputs are scores and offsets",
    **dict.fromkeys(
        ("Correlation", "Downsample", "FlowWarp"),
        "has no operator in ONNX; export the net up to it",
    ),
    "Python": "runs code of its own",
    "RNN": "begins sequences anew where its second bottom is 0, which ONNX's RNN cannot",
}
"""Why ONNX cannot express a layer type, as a sentence that begins with the layer."""
