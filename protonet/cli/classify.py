"""``protonet classify``: image classification."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from protonet.cli.classes import Classified, WrongOnes, printer, save_scores, show_report
from protonet.cli.classify_forms import Asked, asked_for, opened
from protonet.cli.compute_options import precision_option
from protonet.cli.extensions import import_option
from protonet.cli.gflags import GflagsCommand
from protonet.cli.image_results import check_ending, write_images
from protonet.cli.options import Count
from protonet.cli.shapes import input_shape_option
from protonet.cli.terminal import complain, note, progress
from protonet.errors import DataError, UsageError

if TYPE_CHECKING:
    import numpy as np

    from protonet.jobs.evaluation.confusion import Report
    from protonet.jobs.evaluation.labelled import Items
    from protonet.jobs.inference.predictor import ImagePredictor

_PATH = click.Path(path_type=Path)
_TOP = 5
_FEW = 10
"""Maximal number of images for several classes of each in a table."""


def _numbers(ctx: click.Context, param: click.Parameter, value: str | None) -> Any:
    """Comma-separated integers."""
    parts = [] if value is None else [part.strip() for part in value.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise click.BadParameter("expected comma-separated integers", ctx, param)
    return tuple(map(int, parts)) if parts else None


def _size(ctx: click.Context, param: click.Parameter, value: str | None) -> Any:
    """Height and width."""
    numbers = _numbers(ctx, param, value)
    if numbers is not None and (len(numbers) != 2 or not min(numbers)):
        raise click.BadParameter("expected height,width, as in 256,256", ctx, param)
    return numbers


@click.command(
    "classify",
    cls=GflagsCommand,
    short_help="Classify images.",
    examples=[
        "protonet classify runs/net-20260131-120000 cat.png",
        "protonet classify deploy.prototxt --weights net.caffemodel --mean mean.binaryproto "
        "--labels labels.txt photos/",
        "protonet classify deploy.prototxt net.caffemodel mean.binaryproto labels.txt cat.jpg",
        "protonet classify 20160809-112414-0296_epoch_30.0.tar.gz cat.png",
        "protonet classify snapshot_30_Model.t7 cat.png --labels labels.txt --mean 104,117,123",
        "protonet classify run val.txt --confusion confusion.png --format csv > answers.csv",
        "protonet classify photos/ scores.npy --model_def deploy.prototxt --pretrained_model "
        "net.caffemodel --center_only",
    ],
)
@click.argument("net", metavar="NET", type=_PATH)
@click.argument("images", metavar="IMAGE...", nargs=-1, required=True, type=_PATH)
@click.option(
    "--weights",
    "-weights",
    "--pretrained-model",
    "--pretrained_model",
    type=_PATH,
    help="The weights, if NET is a deploy.prototxt.",
)
@click.option(
    "--mean",
    "--mean-file",
    "--mean_file",
    metavar="FILE|V[,V...]",
    default="",
    help="The mean to subtract: a .binaryproto, a .npy, or a value for each channel.",
)
@click.option("--mean-pixel", is_flag=True, help="Subtract the mean pixel of the mean image.")
@click.option("--labels", type=_PATH, help="Class names, one per line. Default: labels.txt of NET.")
@click.option(
    "--top",
    type=Count(1),
    metavar="N",
    help="Number of classes for each image. Default: 5; 1 in a table of more than 10 images.",
)
@click.option(
    "--oversample/--center-only",
    " /--center_only",
    default=None,
    help="Average over ten crops, or use the center crop. Default: the center crop.",
)
@click.option(
    "--images-dim",
    "--images_dim",
    callback=_size,
    metavar="H,W",
    help="Resize images to this size before cropping. Default: that of the mean image if it is "
    "larger than the net's input, else that of the input.",
)
@click.option(
    "--input-scale",
    "--input_scale",
    type=float,
    metavar="F",
    help="Scale factor after the mean is subtracted.",
)
@click.option(
    "--raw-scale",
    "--raw_scale",
    type=float,
    metavar="F",
    help="Value of white before the mean is subtracted. Default: 255.",
)
@click.option(
    "--channel-swap",
    "--channel_swap",
    callback=_numbers,
    metavar="N,N,N",
    help="The channel of red, green, blue for each input channel. Default: 2,1,0; of a .t7 file "
    "0,1,2.",
)
@input_shape_option
@click.option("--ext", metavar="KIND", default="", help="Use only such files of folders: jpg.")
@click.option("--root", type=_PATH, help="Folder of the files in lists. Default: that of the list.")
@click.option("--output", metavar="BLOB", default="", help="The output with the scores.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "caffe", "csv", "json"]),
    help="Output format. Default: a table on a terminal, the lines of Caffe's "
    "classification.bin elsewhere. json is an object per line.",
)
@click.option("-o", "--out", type=_PATH, metavar="FILE", help="Write all scores as .npy.")
@click.option(
    "--confusion",
    type=_PATH,
    metavar="FILE",
    help="The confusion matrix (.csv, .png, .svg, .pdf).",
)
@click.option(
    "--wrong",
    type=_PATH,
    metavar="FILE",
    help="Write the wrong images, the surest first (.csv, or .json with a line for each).",
)
@click.option("--by-class", is_flag=True, help="Print images, recall and precision of each class.")
@click.option(
    "--snapshot",
    metavar="N|best|last",
    help="If NET is a run or a model of DIGITS: the weights to use. Default: last.",
)
@click.option(
    "--model-def",
    "--model_def",
    type=_PATH,
    metavar="FILE",
    help="The deploy.prototxt, in the form of Caffe's classify.py: the arguments are then an "
    "image or folder and the .npy.",
)
@click.option("--gpu", is_flag=True, help="Like --device cuda:0.")
@click.option("--device", metavar="NAME", help="cpu or cuda:N. Default: cpu.")
@precision_option
@click.option(
    "--allow-python-layers",
    is_flag=True,
    help="Allow Python layers, which run code that the network names, in archives too.",
)
@import_option
@click.pass_context
def command(ctx: click.Context, /, gpu: bool, device: str | None, **given: Any) -> None:
    """Classify each IMAGE.

    NET is a run directory, a model downloaded from DIGITS (.tar.gz, .tgz, .tar, .tar.bz2, .zip, or
    the folder of its files), a model of Torch7 (.t7), or a deploy.prototxt with --weights. IMAGE is
    an image file, a folder, or a list (.txt) with a file per line, optionally followed by its
    class. If the true classes are known, from a list or from the names of folders, the accuracy is
    printed.

    The arguments of Caffe's two tools work too: deploy.prototxt, weights, mean, labels and image of
    classification.bin, which subtracts a mean pixel; and those of classify.py, which resizes images
    to 256x256 and averages over ten crops.

    An image that cannot be read is reported and skipped; the exit code is then 4.
    """
    from protonet.device import Device

    if gpu and device is not None:
        raise click.UsageError("--gpu and --device both choose a device; use one of them")
    check_ending(given["wrong"])
    processor = Device("cuda:0" if gpu else device or "cpu")
    asked = asked_for(given)
    with opened(asked, given, processor) as predictor:
        failed = _classify(predictor, asked, given)
    if failed:
        ctx.exit(DataError.exit_code)


def _classify(predictor: ImagePredictor, asked: Asked, given: dict[str, Any]) -> int:
    """Classify all images and print; return how many could not be read."""
    from protonet.jobs.evaluation.confusion import Report
    from protonet.jobs.inference.classification import as_probabilities, best

    classes = _class_names(asked, predictor)
    output, count = _scores(predictor, given["output"], classes)
    found = _found(asked, given, classes, count)
    truths = {item.path: item.truth for item in found.items}
    top = min(count, given["top"] or _TOP)
    out = printer(given["form"], top, given["top"] is None and len(found.items) > _FEW)
    report, rows, wrong = Report(count), {}, WrongOnes()
    failures: list[Path] = []

    def fail(path: Path, error: DataError) -> None:
        failures.append(path)
        complain(str(error))

    with progress("images") as watch:
        for done, answer in enumerate(predictor.stream([i.path for i in found.items], fail), 1):
            scores = as_probabilities(answer.outputs[output].ravel())
            if done == 1:
                _note_other_scores(output, scores)
            rows[answer.image] = scores
            ranked, truth = best(scores, max(top, _TOP)), truths[answer.image]
            if truth is not None:
                report.add(truth, ranked)
            classified = Classified(answer.image, scores, ranked[:top], found.classes, truth)
            out.add(classified)
            wrong.add(classified)
            if watch is not None:
                watch(done + len(failures), len(found.items))
    out.end()
    if failures:
        note(f"{len(failures)} of {len(found.items)} images could not be read")
    if asked.out is not None:
        save_scores(asked.out, [rows.get(item.path) for item in found.items], count)
    _show_report(report, wrong, found.classes, given, is_data=out.is_data)
    return len(failures)


def _found(asked: Asked, given: dict[str, Any], classes: Sequence[str] | None, count: int) -> Items:
    """The images to classify; says how folders were interpreted."""
    from protonet.jobs.evaluation.labelled import find_items

    found = find_items(asked.images, classes, count, given["ext"], given["root"])
    for line in found.notes:
        note(line)
    return found


def _show_report(
    report: Report,
    wrong: WrongOnes,
    classes: Sequence[str] | None,
    given: dict[str, Any],
    *,
    is_data: bool,
) -> None:
    """Print the report, and write the wrong images."""
    show_report(report, classes, given["confusion"], is_data=is_data, by_class=given["by_class"])
    if given["wrong"] is None:
        return
    if not report.images:
        raise UsageError("--wrong needs images of known class")
    note(f"{given['wrong']}: {write_images(given['wrong'], wrong.as_json())} images")


def _note_other_scores(output: str, scores: np.ndarray) -> None:
    """Tell if the scores are no probabilities."""
    from protonet.jobs.inference.classification import why_not_probabilities

    problem = why_not_probabilities(scores)
    if problem:
        note(f"output '{output}' is not a probability distribution ({problem})")


def _scores(predictor: ImagePredictor, name: str, classes: Sequence[str] | None) -> tuple[str, int]:
    """The output with a score for each class, and the number of classes."""
    from protonet.jobs.inference.classification import scores_output

    output = scores_output(predictor, name, classes)
    return output, prod(predictor.outputs[output][1:])


def _class_names(asked: Asked, predictor: ImagePredictor) -> list[str] | None:
    """The given names, or those of the run."""
    from protonet.jobs.run.directory import read_class_names

    if asked.labels is None:
        known = predictor.class_names
        return None if known is None else list(known)
    if not asked.labels.is_file():
        raise UsageError(f"{asked.labels}: no such file of labels")
    return read_class_names(asked.labels)
