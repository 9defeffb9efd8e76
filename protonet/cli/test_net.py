"""``protonet test``: what a trained net says of its test data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from protonet.cli.caffe_flags import chosen_device, chosen_model, chosen_stages, takes_model
from protonet.cli.computing import takes_no_fuse
from protonet.cli.extensions import takes_imports
from protonet.cli.gflags import GflagsCommand
from protonet.cli.sizes import takes_memory_limit
from protonet.cli.terminal import note, print_table
from protonet.cli.trust import takes_untrusted
from protonet.errors import UsageError

if TYPE_CHECKING:
    from protonet.graph.net import Net
    from protonet.jobs.evaluation.regression import VectorReport
    from protonet.train.events import Output

_SHOWN = 8
"""Components of an item that are printed."""


@click.command(
    "test",
    cls=GflagsCommand,
    short_help="Average a net's outputs over its test data.",
    examples=[
        "protonet test train_val.prototxt --weights net_iter_1000.caffemodel --iterations 100",
        "protonet test -model train_val.prototxt -weights net.caffemodel -iterations 10 -gpu 0",
    ],
)
@takes_model
@click.option(
    "--picture",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="For vectors: draw predicted over true values (.png, .svg, .pdf).",
)
@click.option(
    "--worst",
    type=click.IntRange(0),
    default=3,
    show_default=True,
    metavar="N",
    help="For vectors: name so many items that are farthest off.",
)
@takes_memory_limit
@takes_no_fuse
@takes_untrusted
@takes_imports
def command(
    network: Path | None,
    model: Path | None,
    weights: str,
    iterations: int,
    level: int,
    stage: str,
    gpu: str | None,
    device: str | None,
    picture: Path | None,
    worst: int,
    memory_limit: int | None,
    no_fuse: bool,
    untrusted: bool,
) -> None:
    """Run the network in the prototxt file NETWORK in phase TEST and average its outputs.

    Each record of its database is seen once, unless --iterations says how many batches. With
    Caffe's -model it is Caffe's 50 batches, which begin anew behind the last record.

    Prints the outputs of every batch and then their means, in the words of `caffe test`. For
    losses over vectors (EuclideanLoss, L1Loss, SmoothL1Loss) the errors of every component
    follow: mean absolute error, root mean squared error, and R^2.
    """
    from protonet.jobs.evaluation.measuring import WholeSet, average_outputs, open_net
    from protonet.jobs.evaluation.regression import VectorCollector, vector_losses
    from protonet.proto.caffe_pb2 import TEST

    def opened(batch_size: int | None = None) -> Net:
        return open_net(
            chosen_model(network, model),
            phase=TEST,
            level=level,
            stages=chosen_stages(stage),
            weights=weights,
            device=chosen_device(gpu, device),
            memory_limit=memory_limit,
            looked_at=lambda plan: bool(vector_losses(plan)),
            fuse=not no_fuse,
            tell=note if batch_size is None else None,
            python_layers=not untrusted,
            batch_size=batch_size,
        )

    def show(index: int, outputs: list[Output]) -> None:
        collector.take()
        for output in outputs:
            click.echo(f"Batch {index}, {output.name} = {output.value:g}")

    net = opened()
    collector = VectorCollector(net)
    try:
        whole = WholeSet.of(net.plan) if model is None and _is_default("iterations") else None
        if whole is not None and whole.batches:
            iterations = whole.batches
        if whole is not None and not whole.batches:
            net.close()
            net = opened(whole.rest)
            collector.turn_to(net)
            whole, iterations = WholeSet(whole.length, whole.length), 1
        loss, means = average_outputs(net, iterations, show)
    finally:
        net.close()
    if whole is not None and whole.rest:
        last = opened(whole.rest)
        try:
            whole.go_to_rest(last)
            collector.turn_to(last)
            found = average_outputs(last, 1, lambda _, outputs: show(iterations, outputs))
        finally:
            last.close()
        loss, means = whole.mean((loss, means), found)
    if whole is not None:
        note(f"each of {whole.length} records once")
    click.echo(f"Loss: {loss:g}")
    for output in means:
        weighted = ""
        if output.loss_weight:
            product = output.loss_weight * output.value
            weighted = f" (* {output.loss_weight:g} = {product:g} loss)"
        click.echo(f"{output.name} = {output.value:g}{weighted}")
    reports = collector.reports()
    for report in reports:
        _print_vectors(report, worst)
    if picture is not None:
        if not reports:
            raise UsageError("--picture needs a loss over vectors, such as EuclideanLoss")
        reports[0].draw(picture)
        click.echo(picture)


def _is_default(name: str) -> bool:
    """Whether nobody gave this option."""
    source = click.get_current_context().get_parameter_source(name)
    return source is click.core.ParameterSource.DEFAULT


def _print_vectors(report: VectorReport, worst: int) -> None:
    """The errors of each component, and the items that are farthest off."""
    click.echo(f"\n{report.name}: {len(report.true)} items")
    print_table(
        ("component", "MAE", "RMSE", "R^2"),
        [
            (each.name, f"{each.mae:.6g}", f"{each.rmse:.6g}", f"{each.r2:.6g}")
            for each in report.components()
        ],
    )
    for item, distance in report.worst(worst):
        guess, truth = (
            ", ".join(f"{value:.4g}" for value in values[item][:_SHOWN])
            for values in (report.predicted, report.true)
        )
        click.echo(f"item {item} is {distance:.4g} off: [{guess}], true [{truth}]")
