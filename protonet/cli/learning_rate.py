"""``protonet learning-rate``: the learning rate over a training, before it begins."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from protonet.cli.examples import CommandWithExamples
from protonet.cli.extensions import import_option
from protonet.cli.options import Count
from protonet.cli.schedule_options import rate_options
from protonet.cli.terminal import print_table
from protonet.errors import UsageError

if TYPE_CHECKING:
    from protonet.solvers.rate_curve import Curve

_PATH = click.Path(path_type=Path)
_ROWS = 20
"""Parts of a training at whose ends the rate is printed."""
_OUTPUT = ("solver", "picture", "as_json")


@click.command(
    "learning-rate",
    cls=CommandWithExamples,
    short_help="Show the learning rate over a training, before it begins.",
    examples=[
        "protonet learning-rate --lr 0.01 --step 50,75 --epochs 30",
        "protonet learning-rate --lr-policy cosine --warmup 500 --data train_images --picture "
        "rate.png",
        "protonet learning-rate --lr 0.1,0.01 --lr-policy poly --power 2 --images 50000 --json",
        "protonet learning-rate solver.prototxt --picture rate.svg",
    ],
)
@click.argument("solver", metavar="[SOLVER]", required=False, type=_PATH)
@rate_options
@click.option("--epochs", type=float, metavar="X", help="Epochs of the training. Default: 30.")
@click.option("--images", type=Count(1), metavar="N", help="Images of an epoch.")
@click.option("--data", type=_PATH, metavar="DB", help="The images of an epoch: their database.")
@click.option(
    "--batch-size", type=Count(1), metavar="N", help="Batch size, with --images or --data."
)
@click.option(
    "--accumulate",
    "accumulation",
    type=Count(1),
    metavar="N",
    help="Batches per update, with --images or --data. Default: 1.",
)
@click.option("--picture", type=_PATH, metavar="FILE", help="Draw it (.png, .svg, .pdf).")
@click.option("--json", "as_json", is_flag=True, help="Print all points as JSON.")
@import_option
def command(solver: Path | None, picture: Path | None, as_json: bool, **given: Any) -> None:
    """Print the learning rate over a training with these options of `train`, or with the solver
    file SOLVER.

    It is over iterations where the number of images is known, with --images or --data; else over
    epochs, without the warm-up, which is in iterations. Several --lr make a column each.
    """
    from protonet.formats.pictures import picture_kind
    from protonet.solvers.rate_curve import FORMATS, draw_rates

    if picture is not None:
        picture_kind(picture, FORMATS)
    told = {name: value for name, value in given.items() if value is not None}
    curves = _of_options(told) if solver is None else _of_solver(solver, told)
    if as_json:
        points = [{"name": name, **vars(curve)} for name, curve in curves.items()]
        click.echo(json.dumps(points if len(points) > 1 else vars(*curves.values())))
    else:
        _print(curves)
    if picture is not None:
        draw_rates(curves, picture)
        click.echo(picture, err=as_json)


def _of_solver(path: Path, given: dict[str, Any]) -> dict[str, Curve]:
    """The curve of a solver file, which has all of it."""
    from protonet.proto.source import Source
    from protonet.proto.text import read_solver
    from protonet.solvers.rate_curve import solver_curve

    if given:
        names = {"lrs": "lr", "steps": "step", "accumulation": "accumulate"}
        odd = ", ".join(f"--{names.get(name, name).replace('_', '-')}" for name in given)
        raise UsageError(f"{path}: a solver file has its own schedule; omit {odd}")
    return {"learning rate": solver_curve(read_solver(Source.read(str(path))))}


def _of_options(given: dict[str, Any]) -> dict[str, Curve]:
    """A curve for each learning rate."""
    from protonet.cli.training_job import percentages
    from protonet.data.database import Database
    from protonet.jobs.definitions.solver import rate_curve
    from protonet.jobs.run.settings import RunSettings

    images, data = given.pop("images", None), given.pop("data", None)
    if data is not None:
        if images is not None:
            raise UsageError("--images and --data exclude each other: the database has its images")
        with Database(data) as stored:
            images = len(stored)
    if images is None:
        odd = [name for name in ("batch_size", "accumulation", "warmup") if name in given]
        if odd:
            name = {"batch_size": "batch-size", "accumulation": "accumulate"}.get(odd[0], odd[0])
            raise UsageError(f"--{name} needs the number of images: --images N or --data DB")
    if "steps" in given:
        given["steps"] = percentages(given["steps"])
    rates = given.pop("lrs", (RunSettings.lr,))
    return {
        f"lr {rate:g}" if len(rates) > 1 else "learning rate": rate_curve(
            RunSettings(Path(), lr=rate, **given), images
        )
        for rate in rates
    }


def _print(curves: dict[str, Curve]) -> None:
    """The rates at the ends of equal parts of the training."""
    first = next(iter(curves.values()))
    last = first.points[-1][0]
    places = [last * part / _ROWS for part in range(_ROWS + 1)]
    found = [[_before(curve, at) for at in places] for curve in curves.values()]
    rows: list[tuple[str, ...]] = []
    for at, *each in zip((at for at, _ in found[0]), *found, strict=True):
        rates = ["-" if rate is None else f"{rate:.6g}" for _, rate in each]
        if not rows or rows[-1][0] != f"{at:g}":
            rows.append((f"{at:g}", *rates))
    print_table((first.x, *curves), rows, numbers=(first.x, *curves))


def _before(curve: Curve, place: float) -> tuple[float, float | None]:
    """The last point up to a place."""
    return [point for point in curve.points if point[0] <= place + 1e-9][-1]
