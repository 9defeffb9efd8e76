"""``protonet test``: evaluate a trained net on its test data."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from protonet.cli.averages_json import averages_json
from protonet.cli.box_tables import show_boxes
from protonet.cli.caffe_flags import ModelFlags, model_options
from protonet.cli.compute_options import no_fuse_option, precision_option
from protonet.cli.extensions import import_option
from protonet.cli.gflags import GflagsCommand
from protonet.cli.image_results import (
    ImageResults,
    image_results_options,
    show_image_results,
)
from protonet.cli.options import Count, Fraction, snapshot_option
from protonet.cli.pixel_tables import show_pixels
from protonet.cli.report_results import predicts_maps_or_boxes, write_reports
from protonet.cli.sizes import memory_limit_option
from protonet.cli.terminal import note, print_table
from protonet.cli.untrusted_option import untrusted_option
from protonet.errors import UsageError

if TYPE_CHECKING:
    from protonet.jobs.evaluation.regression import VectorReport
    from protonet.jobs.evaluation.validation import Evaluated
    from protonet.jobs.inference.open_net import NetOptions
    from protonet.proto.text import NetDefinition
    from protonet.train.events import Output

_PATH = click.Path(path_type=Path)
_SHOWN = 8
"""Number of components of an item that are printed."""

_COMPONENTS = 32
"""Number of components whose errors are printed."""


# long: half of it is its options and its help
@click.command(
    "test",
    cls=GflagsCommand,
    short_help="Average a net's outputs over its test data.",
    examples=[
        "protonet test runs/net-20260131-120000",
        "protonet test run --snapshot best --data test_images --labels test_labels",
        "protonet test run --json > figures.json",
        "protonet test run --by-class --wrong wrong.csv --confusion confusion.png",
        "protonet test train_val.prototxt --weights net_iter_1000.caffemodel --iterations 100",
        "protonet test net.lua --weights net_iter_1000.caffemodel --data test_db",
        "protonet test -model train_val.prototxt -weights net.caffemodel -iterations 10 -gpu 0",
    ],
)
@model_options
@snapshot_option("For a run: the weights to use")
@click.option(
    "--data",
    type=_PATH,
    help="For a run: other images than its validation data. For a Lua text: the images.",
)
@click.option("--labels", type=_PATH, help="The label vectors of --data.")
@click.option(
    "--name-sizes",
    type=_PATH,
    metavar="FILE",
    help="Name, height and width of each image with boxes in --data. Default: test_name_size.txt "
    "beside it.",
)
@click.option(
    "--picture",
    type=_PATH,
    metavar="FILE",
    help="For vectors: plot predicted over true values (.png, .svg, .pdf); for segmentation: the "
    "confusion matrix; for detectors: precision over recall.",
)
@click.option(
    "--worst",
    type=Count(0),
    default=3,
    show_default=True,
    metavar="N",
    help="List the N items with the greatest errors, or images with most mistakes.",
)
@click.option(
    "--threshold",
    type=Fraction(0, 1),
    default=0.5,
    show_default=True,
    help="For detectors: the score from which on boxes count as found in shares and mistakes.",
)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print the means and figures as JSON, and no batches.",
)
@image_results_options
@memory_limit_option
@precision_option
@no_fuse_option
@untrusted_option
@import_option
def command(
    flags: ModelFlags,
    snapshot: str,
    data: Path | None,
    labels: Path | None,
    name_sizes: Path | None,
    picture: Path | None,
    worst: int,
    threshold: float,
    as_json: bool,
    memory_limit: int | None,
    precision: str | None,
    no_fuse: bool,
    untrusted: bool,
    **given: Any,
) -> None:
    """Run the network in the file NETWORK, prototxt or Lua, in phase TEST and average its outputs.

    NETWORK may be a run directory: then its weights and its mean are tested on its validation data,
    or on the databases of --data and --labels.

    Each record of its database is seen once, unless --iterations gives a number of batches. With
    Caffe's -model it is Caffe's default of 50 batches, which wrap around after the last record.

    Prints the outputs of every batch and then their means, in the format of `caffe test`; for
    losses over vectors (EuclideanLoss, L1Loss, SmoothL1Loss) also the errors of each component:
    mean absolute error, root mean squared error, and R^2; for a segmentation (SoftmaxWithLoss over
    maps) mean IoU, pixel accuracy, and both by class; for a detector (DetectionEvaluate, or
    DetectionOutput with true boxes) mean average precision in the forms of VOC, the SSD fork and
    COCO, and the figures of each class.

    With --by-class, --confusion, --wrong or --answers, a run that predicts a class or numbers is
    asked about every image instead, with its deploy net; --data may then be a folder of images or
    a list, too, and --json prints these figures. Of a detector --answers writes the boxes of every
    image, --wrong those with most mistakes first; of a segmentation mean IoU and accuracy, the
    lowest first, and --confusion counts pixels.
    """
    from protonet.formats.pictures import picture_kind
    from protonet.jobs.evaluation.full_dataset import average_set, opener
    from protonet.jobs.evaluation.regression import FORMATS
    from protonet.jobs.evaluation.segmentation import keys_of_images

    if picture is not None:
        picture_kind(picture, FORMATS)  # not only after all images
    asked = ImageResults.of(given, as_json=as_json)
    by_report = predicts_maps_or_boxes(flags.network)
    if asked.wanted and not by_report:
        how: Any = {"memory_limit": memory_limit, "precision": precision}
        _image_results(flags, snapshot, (data, labels), asked, no_fuse, untrusted, **how)
        return
    run = _evaluated(flags.network, snapshot, data, labels, name_sizes)
    for remark in run.notes if run is not None else ():
        note(remark)
    tested = run.definition if run is not None else _network(flags.path, data, labels)
    options = _net_options(flags, run, memory_limit, no_fuse, untrusted)
    options = replace(options, precision=precision)
    once = flags.model is None and not _given("iterations")
    watch = _ignore_batch if as_json else _print_batch
    found = average_set(opener(tested, options, note), flags.iterations, watch, once=once)
    names = None if run is None else _class_names(flags.network)
    if asked.wanted:
        keys = keys_of_images(tested) if found.pixels is not None else ()
        write_reports(found, asked, names, keys, threshold)
    if as_json:
        click.echo(json.dumps(averages_json(found, names, threshold, worst)))
        return
    if found.length is not None:
        note(f"each of {found.length} records once")
    _print_means(found.loss, found.outputs)
    drawn = found.pixels is not None or found.detectors
    _show_vectors(found.reports, worst, None if drawn else picture)
    if found.pixels is not None:
        keys = keys_of_images(tested)
        show_pixels(found.pixels, None if run is None else flags.network, worst, picture, keys)
    show_boxes(found.detectors, threshold, worst, picture if found.pixels is None else None)


def _image_results(
    flags: ModelFlags,
    snapshot: str,
    data: tuple[Path | None, Path | None],
    asked: ImageResults,
    no_fuse: bool,
    untrusted: bool,
    **how: Any,
) -> None:
    """Ask a run about every image."""
    from protonet.device import Device
    from protonet.jobs.inference.trained_run import Predictor
    from protonet.jobs.run.directory import RunDirectory
    from protonet.proto.caffe_pb2 import TEST

    if flags.network is None or not flags.network.is_dir():
        raise UsageError("results by image need a run directory instead of NETWORK")
    for name in ("weights", "level", "stage", "iterations", "picture", "worst", "name_sizes"):
        if _given(name):
            raise UsageError(f"--{name.replace('_', '-')} does not go with results by image")
    if data[1] is not None and data[0] is None:
        raise UsageError("--labels goes with --data, the images that they belong to")
    device = Device(flags.net_options(TEST).device)
    with Predictor(
        RunDirectory.open(flags.network), snapshot, device,
        python_layers=False if untrusted else None,
        fuse=False if no_fuse else None, **how,
    ) as predictor:  # fmt: skip
        show_image_results(predictor, *data, asked)


def _evaluated(
    network: Path | None,
    snapshot: str,
    data: Path | None,
    labels: Path | None,
    name_sizes: Path | None,
) -> Evaluated | None:
    """The validation net of a run directory; None if NETWORK is a file."""
    if network is None or not network.is_dir():
        if _given("snapshot"):
            raise UsageError("--snapshot requires a run directory instead of NETWORK")
        if name_sizes is not None:
            raise UsageError("--name-sizes requires a run directory instead of NETWORK")
        return None
    odd = [name for name in ("weights", "level", "stage") if _given(name)]
    if odd:
        raise UsageError(
            f"{network}: a run has its own {', '.join(odd)}; omit "
            + ", ".join(f"--{name}" for name in odd)
            + (" (--snapshot selects its weights)" if "weights" in odd else "")
        )
    from protonet.jobs.evaluation.validation import evaluated
    from protonet.jobs.run.directory import RunDirectory

    return evaluated(RunDirectory.open(network), snapshot, data, labels, name_sizes)


def _network(path: Path, data: Path | None, labels: Path | None) -> NetDefinition:
    """The network of a file; one in Lua on the given databases."""
    from protonet.jobs.definitions.inputs import InputOptions
    from protonet.jobs.reading.network import read_network, shapes_of_inputs
    from protonet.proto.language import is_lua

    given = InputOptions(data=data, labels=labels)
    definition = read_network(path, shapes_of_inputs(given))
    if not is_lua(definition.source.text):
        odd = [name for name in ("data", "labels") if _given(name)]
        if odd:
            raise UsageError(f"--{odd[0]} requires a run directory, or Lua, instead of NETWORK")
    elif data is None:
        raise UsageError(f"{path}: is Lua, which names no data; give --data DB [--labels DB]")
    return definition


def _net_options(
    flags: ModelFlags,
    run: Evaluated | None,
    memory_limit: int | None,
    no_fuse: bool,
    untrusted: bool,
) -> NetOptions:
    """Options to open the net, from the flags or from the run."""
    from protonet.proto.caffe_pb2 import TEST

    options = replace(flags.net_options(TEST), fuse=True)
    if run is not None:
        options = replace(run.net_options, device=options.device)
    return replace(
        options,
        memory_limit=memory_limit,
        fuse=not no_fuse and options.fuse,
        python_layers=not untrusted and options.python_layers,
    )


def _class_names(run: Path | None) -> list[str] | None:
    """The names of the classes of a run directory."""
    from protonet.jobs.run.directory import RunDirectory

    return None if run is None else RunDirectory(run).class_names()


def _ignore_batch(_index: int, _outputs: Sequence[Output]) -> None:
    """Print nothing."""


def _print_batch(index: int, outputs: Sequence[Output]) -> None:
    for output in outputs:
        click.echo(f"Batch {index}, {output.name} = {output.value:g}")


def _print_means(loss: float, outputs: Sequence[Output]) -> None:
    """In the format of `caffe test`."""
    click.echo(f"Loss: {loss:g}")
    for output in outputs:
        weighted = ""
        if output.loss_weight:
            product = output.loss_weight * output.value
            weighted = f" (* {output.loss_weight:g} = {product:g} loss)"
        click.echo(f"{output.name} = {output.value:g}{weighted}")


def _given(name: str) -> bool:
    """Whether this option was given."""
    source = click.get_current_context().get_parameter_source(name)
    return source is not click.core.ParameterSource.DEFAULT


def _show_vectors(reports: Sequence[VectorReport], worst: int, picture: Path | None) -> None:
    """Print the reports on vectors, and plot the first one."""
    for report in reports:
        _print_vectors(report, worst)
    if picture is not None:
        if not reports:
            raise UsageError(
                "--picture needs a loss over vectors, such as EuclideanLoss, maps, or boxes"
            )
        reports[0].draw(picture)
        click.echo(picture)


def _print_vectors(report: VectorReport, worst: int) -> None:
    """Print the errors of each component, and the worst items."""
    click.echo(f"\n{report.name}: {len(report.true)} items")
    print_table(
        ("component", "MAE", "RMSE", "R^2"),
        [
            (each.name, f"{each.mae:.6g}", f"{each.rmse:.6g}", f"{each.r2:.6g}")
            for each in report.components()[:_COMPONENTS]
        ],
    )
    if (cut := report.true.shape[1] - _COMPONENTS) > 0:
        click.echo(f"and {cut} other components, which --json prints")
    for item, distance in report.worst(worst):
        guess, truth = (
            ", ".join(f"{value:.4g}" for value in values[item][:_SHOWN])
            for values in (report.predicted, report.true)
        )
        click.echo(f"item {item}: error {distance:.4g}, predicted [{guess}], true [{truth}]")
