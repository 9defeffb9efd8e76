"""``protonet infer``: predict with a trained net."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from protonet.cli.compute_options import no_fuse_option, precision_option
from protonet.cli.examples import CommandWithExamples
from protonet.cli.extensions import import_option
from protonet.cli.options import Fraction, snapshot_option
from protonet.cli.shapes import input_shape_option
from protonet.cli.sizes import memory_limit_option
from protonet.cli.terminal import note

if TYPE_CHECKING:
    import numpy as np

    from protonet.cli.answer_pictures import AnswerPictures
    from protonet.errors import DataError
    from protonet.jobs.inference.predictor import ImagePredictor, Prediction

_BEST_CLASSES = 5
_MOST_VALUES = 20
_PATH = click.Path(path_type=Path)


@dataclass(frozen=True)
class _Options:
    """How to open the net."""

    mean: str
    input_scale: float | None
    input_shape: tuple[int, int, int] | None
    bgr: bool
    device: str
    memory_limit: int | None
    fuse: bool
    precision: str | None


# long: half of it is its options and its help
@click.command(
    "infer",
    cls=CommandWithExamples,
    short_help="Predict on images with a trained net.",
    examples=[
        "protonet infer runs/net-20260131-120000 test.png",
        "protonet infer run one.png two.png --snapshot best",
        "protonet infer run *.png --json > answers.jsonl",
        "protonet infer run photo.jpg --picture pictures --opacity 0.6",
        "protonet infer detector photo.jpg --threshold 0.3 --picture pictures",
        "protonet infer 20160809-112414-0296_epoch_30.0.tar.gz test.png",
        "protonet infer snapshot_30_Model.t7 test.png --labels labels.txt --input-shape 3x224x224",
    ],
)
@click.argument("run", metavar="RUN", type=_PATH)
@click.argument("images", metavar="IMAGE...", nargs=-1, required=True, type=_PATH)
@snapshot_option("The weights to use")
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print a JSON object per line for each image: image, snapshot, outputs; "
    "classes of a segmentation; detections.",
)
@click.option(
    "--weights",
    type=_PATH,
    metavar="FILE",
    help="If RUN is a deploy.prototxt: its weights.",
)
@click.option(
    "--mean",
    metavar="FILE|V[,V...]",
    default="",
    help="With --weights or a .t7 file: the mean to subtract. Default: none.",
)
@click.option(
    "--input-scale",
    type=float,
    metavar="F",
    help="With --weights or a .t7 file: factor after the mean, such as 0.017 of MobileNet. "
    "Default: 1.",
)
@click.option(
    "--labels",
    type=_PATH,
    metavar="FILE",
    help="Class names, one per line. Default: labels.txt of RUN.",
)
@click.option(
    "--picture",
    type=_PATH,
    metavar="DIR",
    help="Write pictures into DIR; of a segmentation: the map of classes, and it over the image; "
    "of a detector: the image with boxes.",
)
@click.option(
    "--opacity",
    type=Fraction(0, 1),
    default=0.5,
    show_default=True,
    help="Of the classes in pictures over the image.",
)
@click.option(
    "--threshold",
    type=Fraction(0, 1),
    default=0.5,
    show_default=True,
    help="Of a detector: the least score of a box.",
)
@input_shape_option
@click.option(
    "--bgr",
    is_flag=True,
    help="Of a .t7 file: images are blue, green, red, as in Caffe's databases. Default: red, "
    "green, blue, as in Torch7.",
)
@click.option("--device", metavar="NAME", default="cpu", show_default=True, help="cpu or cuda:N.")
@memory_limit_option
@precision_option
@no_fuse_option
@click.option(
    "--allow-python-layers",
    is_flag=True,
    help="Allow Python layers, which run code that the network names, in archives too.",
)
@import_option
def command(
    run: Path,
    images: Sequence[Path],
    snapshot: str,
    as_json: bool,
    weights: Path | None,
    mean: str,
    input_scale: float | None,
    labels: Path | None,
    picture: Path | None,
    opacity: float,
    threshold: float,
    input_shape: tuple[int, int, int] | None,
    bgr: bool,
    device: str,
    memory_limit: int | None,
    precision: str | None,
    no_fuse: bool,
    allow_python_layers: bool,
) -> None:
    """Predict on each IMAGE with the net of the run directory RUN.

    RUN may also be a .zip of one, as downloaded from the page; a model downloaded from DIGITS, as
    .tar.gz, .tgz, .tar, .tar.bz2, .zip or the folder of its files; a model of Torch7 as .t7; or a
    deploy.prototxt with --weights.

    Images are converted to the size and channels of the training data and preprocessed exactly as
    the training images. Prints the values of each output of the net; with class names, the five
    best classes; of a segmentation, the share of each class in the image; of a detector, the score,
    corners and class of each box, in pixels of the image. An image that cannot be read is reported
    and skipped; the exit code is then 4.
    """
    from protonet.cli.special_answers import special_answers
    from protonet.errors import DataError

    how = (mean, input_scale, input_shape, bgr)
    options = _Options(*how, device, memory_limit, not no_fuse, precision)
    with _open(run, weights, snapshot, options, allow_python_layers) as predictor:
        if predictor.note:
            note(predictor.note)
        if labels is not None:
            predictor.class_names = _class_names(labels)
        special = special_answers(predictor, run, picture, opacity, threshold)
        unread = _answer(predictor, images, as_json, special)
    if unread:
        raise DataError(f"{unread} of {len(images)} images could not be read")


def _open(
    run: Path, weights: Path | None, snapshot: str, options: _Options, trusted: bool
) -> AbstractContextManager[ImagePredictor]:
    """A predictor from what RUN is."""
    from protonet.errors import UsageError
    from protonet.formats.kind import is_torch7

    torch = weights is None and run.is_file() and is_torch7(run)
    if weights is None and options.mean and not torch:
        raise UsageError(f"{run}: a run has its own mean; --mean requires --weights")
    if weights is None and options.input_scale is not None and not torch:
        raise UsageError(f"{run}: a run has its own scale; --input-scale requires --weights")
    if options.bgr and not torch:
        raise UsageError(f"{run}: is no .t7 file; --bgr is only for one")
    if weights is None and not torch:
        if options.input_shape is not None:
            raise UsageError(f"{run}: a run has its own shape; --input-shape is for other models")
        return _trained(run, snapshot, options, trusted)
    if snapshot != "last":
        raise UsageError("--snapshot selects weights of a run, but --weights are given")
    return _model(run, weights, options)


def _model(
    net: Path, weights: Path | None, options: _Options
) -> AbstractContextManager[ImagePredictor]:
    """A predictor from a deploy.prototxt and its weights, or from a .t7 file."""
    from protonet.device import Device
    from protonet.jobs.inference.classification import Preprocessing, open_classifier

    swap, scale = (2, 1, 0) if options.bgr else None, options.input_scale
    scale = 1.0 if scale is None else scale
    how = Preprocessing(mean=options.mean, input_scale=scale, channel_swap=swap)
    processor = Device(options.device)
    more: Any = {
        "memory_limit": options.memory_limit,
        "fuse": options.fuse,
        "precision": options.precision,
    }
    shape = options.input_shape
    if weights is None:
        from protonet.jobs.inference.torch_model import open_torch_model

        return open_torch_model(net, how, shape, processor, **more)
    return open_classifier(net, weights, how, processor, shape=shape, **more)


def _trained(
    run: Path, snapshot: str, options: _Options, trusted: bool
) -> AbstractContextManager[ImagePredictor]:
    from protonet.device import Device
    from protonet.jobs.inference.trained_run import open_trained

    return open_trained(
        run,
        snapshot,
        Device(options.device),
        memory_limit=options.memory_limit,
        fuse=None if options.fuse else False,
        python_layers=True if trusted else None,
        precision=options.precision,
    )


def _class_names(path: Path) -> list[str]:
    from protonet.errors import UsageError
    from protonet.jobs.run.directory import read_class_names

    if not path.is_file():
        raise UsageError(f"{path}: no such file of labels")
    return read_class_names(path)


def _answer(
    predictor: ImagePredictor,
    images: Sequence[Path],
    as_json: bool,
    special: AnswerPictures[Any] | None,
) -> int:
    """Print the prediction for each image; return how many could not be read."""
    from protonet.jobs.inference.classification import answer_json

    unread: list[Path] = []

    def failed(path: Path, error: DataError) -> None:
        note(str(error))
        unread.append(path)

    for prediction in predictor.stream(images, failed):
        if prediction.note:
            note(f"{prediction.image}: {prediction.note}")
        if as_json:
            told, names = () if special is None else special.outputs, predictor.class_names
            answer = answer_json(prediction, predictor.iteration, names, told)
            more = {} if special is None else special.as_json(prediction)
            click.echo(json.dumps({**answer, **more}))
        elif special is not None:
            special.print(prediction)
        else:
            _print(prediction, predictor.class_names)
    return len(unread)


def _print(prediction: Prediction, classes: Sequence[str] | None) -> None:
    for name, values in prediction.outputs.items():
        if classes is not None and values.size == len(classes):
            click.echo(f"{prediction.image}: {name}")
            for share, label in best_classes(as_shares(values), classes):
                click.echo(f"  {share:8.2%}  {label}")
        else:
            click.echo(f"{prediction.image}: {name} = {vector(values)}")


def as_shares(values: np.ndarray) -> np.ndarray:
    """Probabilities, where the values are their logarithms, as nn.LogSoftMax gives."""
    import numpy as np

    if values.size and values.max() <= 0 and abs(np.exp(values).sum() - 1) < 1e-3:
        shares: np.ndarray = np.exp(values)
        return shares
    return values


def best_classes(values: np.ndarray, classes: Sequence[str]) -> list[tuple[float, str]]:
    """The greatest values with their class names, in descending order."""
    flat = values.ravel().tolist()
    return sorted(zip(flat, classes, strict=True), key=lambda pair: -pair[0])[:_BEST_CLASSES]


def vector(values: np.ndarray) -> str:
    """``[0.5065912 0.504923]``; the first values and the shape of a long array."""
    flat = values.ravel()
    shown = " ".join(f"{value:.7g}" for value in flat[:_MOST_VALUES].tolist())
    if flat.size <= _MOST_VALUES:
        return f"[{shown}]"
    return f"[{shown} ...] ({'x'.join(str(axis) for axis in values.shape)} values)"
