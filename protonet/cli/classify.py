"""``protonet classify``: which class images are of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from protonet.cli.classes import Classified, printer, save_scores, show_report
from protonet.cli.extensions import import_option
from protonet.cli.gflags import GflagsCommand
from protonet.cli.terminal import complain, note, progress
from protonet.errors import DataError, UsageError

if TYPE_CHECKING:
    from protonet.jobs.inference.classification import Preprocessing
    from protonet.jobs.inference.predictor import ImagePredictor

_PATH = click.Path(path_type=Path)
_WEIGHTS = (".caffemodel", ".h5", ".npz", ".safetensors")
_TOP = 5
_FEW = 10
"""Images of which a table shows several classes."""


def _numbers(ctx: click.Context, param: click.Parameter, value: str | None) -> Any:
    """Whole numbers with commas between."""
    parts = [] if value is None else [part.strip() for part in value.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise click.BadParameter("expected whole numbers with commas between", ctx, param)
    return tuple(map(int, parts)) if parts else None


def _size(ctx: click.Context, param: click.Parameter, value: str | None) -> Any:
    """Height and width."""
    numbers = _numbers(ctx, param, value)
    if numbers is not None and (len(numbers) != 2 or not min(numbers)):
        raise click.BadParameter("expected height,width, as in 256,256", ctx, param)
    return numbers


@dataclass(frozen=True)
class _Asked:
    """What the arguments ask for, whichever form they have."""

    net: Path
    images: tuple[Path, ...]
    how: Preprocessing
    weights: Path | None = None
    labels: Path | None = None
    oversample: bool = False
    out: Path | None = None


@click.command(
    "classify",
    cls=GflagsCommand,
    short_help="Say which class images are of.",
    examples=[
        "protonet classify runs/net-20260131-120000 cat.png",
        "protonet classify deploy.prototxt --weights net.caffemodel --mean mean.binaryproto "
        "--labels labels.txt photos/",
        "protonet classify deploy.prototxt net.caffemodel mean.binaryproto labels.txt cat.jpg",
        "protonet classify 20160809-112414-0296_epoch_30.0.tar.gz cat.png",
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
    help="The weights, where NET is a deploy.prototxt.",
)
@click.option(
    "--mean",
    "--mean-file",
    "--mean_file",
    metavar="FILE|V[,V...]",
    default="",
    help="What is taken off: a .binaryproto, a .npy, or a value for each channel.",
)
@click.option("--mean-pixel", is_flag=True, help="Take off the mean colour of the mean image.")
@click.option(
    "--labels", type=_PATH, help="Names of the classes, one a line. Default: the run's labels.txt."
)
@click.option(
    "--top",
    type=click.IntRange(1),
    metavar="N",
    help="So many classes of each image. Default: 5; 1 in a table of more than 10 images.",
)
@click.option(
    "--oversample/--center-only",
    " /--center_only",
    default=None,
    help="Average over ten crops, or take the centre. Default: the centre.",
)
@click.option(
    "--images-dim",
    "--images_dim",
    callback=_size,
    metavar="H,W",
    help="Bring images to this size before the net's input is cut out. Default: that of the mean "
    "image where it is larger, else the input's.",
)
@click.option(
    "--input-scale",
    "--input_scale",
    type=float,
    metavar="F",
    help="A factor after the mean was taken off.",
)
@click.option(
    "--raw-scale",
    "--raw_scale",
    type=float,
    metavar="F",
    help="What white is before that. Default: 255.",
)
@click.option(
    "--channel-swap",
    "--channel_swap",
    callback=_numbers,
    metavar="N,N,N",
    help="Which of red, green, blue each input channel is. Default: 2,1,0.",
)
@click.option("--ext", metavar="KIND", default="", help="Take only such files of folders: jpg.")
@click.option("--root", type=_PATH, help="Where the files of lists are. Default: beside the list.")
@click.option("--output", metavar="BLOB", default="", help="The output with the scores.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "caffe", "csv", "json"]),
    help="How answers are printed. Default: a table on a terminal, the lines of Caffe's "
    "classification.bin elsewhere. json is an object a line.",
)
@click.option("-o", "--out", type=_PATH, metavar="FILE", help="Write all scores as .npy.")
@click.option(
    "--confusion", type=_PATH, metavar="FILE", help="Draw the confusion matrix (.png, .svg, .pdf)."
)
@click.option(
    "--snapshot",
    metavar="N|best|last",
    help="Where NET is a run or a model of DIGITS: the weights to use. Default: last.",
)
@click.option(
    "--model-def",
    "--model_def",
    type=_PATH,
    metavar="FILE",
    help="The deploy.prototxt, in the form of Caffe's classify.py: the arguments are then an "
    "image or folder and the .npy.",
)
@click.option("--gpu", is_flag=True, help="As --device cuda:0.")
@click.option("--device", metavar="NAME", help="cpu or cuda:N. Default: cpu.")
@click.option(
    "--allow-python-layers",
    is_flag=True,
    help="Take Python layers, which run code that the network names, in an archive too.",
)
@import_option
@click.pass_context
def command(ctx: click.Context, /, gpu: bool, device: str | None, **given: Any) -> None:
    """Say which class each IMAGE is of.

    NET is a run directory, a model that was downloaded from DIGITS (.tar.gz, .tgz, .tar, .tar.bz2,
    .zip, or the folder of its files), or a deploy.prototxt with --weights. IMAGE is an image file,
    a folder of such, or a text (.txt) that names one a line, with its class behind it where known.
    Where classes are known, from a list or from folders named so, it says how many were right.

    The arguments of Caffe's two tools are understood too: deploy.prototxt, weights, mean, labels
    and image of classification.bin, whose mean is one colour; and those of classify.py, which
    brings images to 256x256 and averages over ten crops.

    An image that cannot be read is reported and passed over; the exit code is then 4.
    """
    from protonet.device import Device

    if gpu and device is not None:
        raise click.UsageError("--gpu and --device both name a processor; use one of them")
    processor = Device("cuda:0" if gpu else device or "cpu")
    asked = _asked(given)
    with _open(asked, given, processor) as predictor:
        failed = _classify(predictor, asked, given)
    if failed:
        ctx.exit(DataError.exit_code)


def _asked(given: dict[str, Any]) -> _Asked:
    """The form that the arguments have."""
    from protonet.jobs.inference.classification import Preprocessing
    from protonet.jobs.run.archive import is_packed

    net, images, weights = given["net"], given["images"], given["weights"]
    names = ("mean", "mean_pixel", "images_dim", "input_scale", "raw_scale", "channel_swap")
    how = Preprocessing(**{name: given[name] for name in names if given[name] not in (None, "")})
    asked = _Asked(net, images, how, weights, given["labels"], bool(given["oversample"]),
                   given["out"])  # fmt: skip
    if given["model_def"] is not None:
        return _as_classify_py(asked, given)
    if weights is not None or net.is_dir() or is_packed(net):
        return asked
    if images[0].suffix not in _WEIGHTS:
        raise UsageError(
            f"{net}: is no run directory; a deploy.prototxt needs --weights"
            if net.exists()
            else f"{net}: there is no such run directory or deploy.prototxt"
        )
    if len(images) < 4:
        raise UsageError(
            "expected deploy.prototxt, weights, mean, labels and images, as classification.bin "
            f"has them; got {1 + len(images)} arguments. --weights, --mean and --labels name them "
            "one by one"
        )
    if asked.how.mean or asked.labels is not None:
        raise UsageError("the mean and the labels are given twice: as arguments and as options")
    weights, mean, labels, *rest = images
    return replace(
        asked,
        images=tuple(rest),
        weights=weights,
        labels=labels,
        how=replace(how, mean=str(mean), mean_pixel=True),
    )


def _as_classify_py(asked: _Asked, given: dict[str, Any]) -> _Asked:
    """The form INPUT OUTPUT --model_def FILE, with the defaults that Caffe's classify.py has."""
    if len(asked.images) != 1 or asked.weights is None or asked.out is not None:
        raise UsageError(
            "with --model_def, expected an image or folder, a .npy, and --pretrained_model"
        )
    if not asked.how.mean:
        note("no --mean_file: nothing is taken off (classify.py takes ImageNet's mean)")
    how = replace(asked.how, images_dim=asked.how.images_dim or (256, 256))
    return replace(
        asked,
        net=given["model_def"],
        images=(asked.net,),
        out=asked.images[0],
        how=how,
        oversample=given["oversample"] is not False,
    )


@contextmanager
def _open(asked: _Asked, given: dict[str, Any], device: Any) -> Iterator[ImagePredictor]:
    """The net, ready to be asked."""
    from protonet.jobs.inference.classification import Preprocessing, open_classifier
    from protonet.jobs.inference.trained_run import open_trained

    if asked.weights is None:
        if asked.how != Preprocessing():
            kind = "a run" if (asked.net / "run.json").exists() else "a model of DIGITS"
            raise UsageError(
                f"{asked.net}: {kind} knows what is done to its images; the options for it are for "
                "a deploy.prototxt"
            )
        net_options: AbstractContextManager[ImagePredictor] = open_trained(
            asked.net,
            given["snapshot"] or "last",
            device,
            python_layers=True if given["allow_python_layers"] else None,
        )
    else:
        if given["snapshot"] is not None:
            raise UsageError("--snapshot chooses from a run's weights, but --weights are given")
        net_options = open_classifier(asked.net, asked.weights, asked.how, device)
    with net_options as predictor:
        if asked.oversample:
            predictor.oversample()
        yield predictor


def _classify(predictor: ImagePredictor, asked: _Asked, given: dict[str, Any]) -> int:
    """Ask about all images and print; returns how many could not be read."""
    from protonet.jobs.evaluation.confusion import Report
    from protonet.jobs.evaluation.labelled import find_items
    from protonet.jobs.inference.classification import best, why_not_probabilities

    classes = _class_names(asked, predictor)
    output, count = _scores(predictor, given["output"], classes)
    found = find_items(asked.images, classes, count, given["ext"], given["root"])
    for line in found.notes:
        note(line)
    truths = {item.path: item.truth for item in found.items}
    top = min(count, given["top"] or _TOP)
    out = printer(given["form"], top, given["top"] is None and len(found.items) > _FEW)
    report, rows = Report(count), {}
    failures: list[Path] = []

    def fail(path: Path, error: DataError) -> None:
        failures.append(path)
        complain(str(error))

    with progress("images") as watch:
        for done, answer in enumerate(predictor.stream([i.path for i in found.items], fail), 1):
            scores = answer.outputs[output].ravel()
            if done == 1 and (problem := why_not_probabilities(scores)):
                note(f"output '{output}' is no distribution ({problem}): it is shown as it is")
            rows[answer.image] = scores
            ranked, truth = best(scores, max(top, _TOP)), truths[answer.image]
            if truth is not None:
                report.add(truth, ranked)
            out.add(Classified(answer.image, scores, ranked[:top], found.classes, truth))
            if watch is not None:
                watch(done + len(failures), len(found.items))
    out.end()
    if failures:
        note(f"{len(failures)} of {len(found.items)} images could not be read")
    if asked.out is not None:
        save_scores(asked.out, [rows.get(item.path) for item in found.items], count)
    show_report(report, found.classes, given["confusion"], out.is_data)
    return len(failures)


def _scores(predictor: ImagePredictor, name: str, classes: Sequence[str] | None) -> tuple[str, int]:
    """The output that has a score for each class, and how many classes there are."""
    from protonet.jobs.inference.classification import scores_output

    output = scores_output(predictor, name, classes)
    return output, prod(predictor.outputs[output][1:])


def _class_names(asked: _Asked, predictor: ImagePredictor) -> list[str] | None:
    """The names that the user gave, or those of the run."""
    from protonet.jobs.run.directory import read_class_names

    if asked.labels is None:
        known = predictor.class_names
        return None if known is None else list(known)
    if not asked.labels.is_file():
        raise UsageError(f"{asked.labels}: there is no such file of labels")
    return read_class_names(asked.labels)
