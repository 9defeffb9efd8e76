"""The report of ``protonet check``: as JSON, and on weights."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from protonet.cli.options import C, with_options
from protonet.cli.terminal import note, print_table
from protonet.errors import Mistake, NetworkError, ProtonetError

if TYPE_CHECKING:
    from protonet.graph.plan import Plan
    from protonet.graph.weights_report import WeightsReport
    from protonet.jobs.checks.memory import TrainingMemory
    from protonet.jobs.checks.network_report import NetworkReport
    from protonet.proto.text import NetDefinition

_OPTIONS = (
    click.option(
        "--weights",
        metavar="FILE|RUN[@N][,...]",
        help="Weights to compare the network with: which layers would take them, which differ in "
        "shape, which are new, and which weights are unused.",
    ),
    click.option(
        "--json",
        "as_json",
        is_flag=True,
        help="Print the report as JSON, in the form of the API (POST /api/models/check).",
    ),
)


def report_options(command: C) -> C:
    """``--weights`` and ``--json``."""
    return with_options(command, _OPTIONS)


@contextmanager
def mistakes_as_json(wanted: bool) -> Iterator[None]:
    """Where wanted, print errors of the block as the JSON of a report, and exit with their code."""
    try:
        yield
    except ProtonetError as error:
        if not wanted:
            raise
        from protonet.jobs.checks.network_report import NetworkReport, report_json

        found = error.mistakes if isinstance(error, NetworkError) else (Mistake(str(error)),)
        click.echo(json.dumps(report_json(NetworkReport(tuple(found)))))
        raise SystemExit(error.exit_code) from None


def network_report(
    plan: Plan, pasted: NetDefinition, memory: TrainingMemory, weights: str | None
) -> NetworkReport:
    """The report on a planned network, as the page has it."""
    from protonet.graph.summary import summarize
    from protonet.jobs.checks.network_report import NetworkReport
    from protonet.jobs.checks.pairing import large_batches
    from protonet.jobs.checks.weights import files_report, mismatch
    from protonet.jobs.definitions.inputs import image_layers
    from protonet.jobs.inference.weights import listed, with_runs
    from protonet.proto.ignored import ignored_fields

    summary = summarize(
        plan, recompute=memory.recompute, fuse=memory.fuse, precision=memory.precision
    )
    images = image_layers(plan)
    deployed = _deployed(pasted, images[0].transformer.output_shape) if images else frozenset()
    compared, problem = None, ""
    if weights is not None:
        files = listed(with_runs(weights))
        compared = files_report(plan, files)
        problem = mismatch(compared, Path(files[0]).name, allowed=False)
    return NetworkReport(
        name=pasted.net.name,
        rows=summary.rows,
        deployed=deployed,
        parameters=summary.parameters,
        training_bytes=summary.training_bytes,
        inference_bytes=summary.inference_bytes,
        ignored=tuple(ignored_fields(pasted.net)),
        images=images[0].length if images else 0,
        batch_size=images[0].batch_size if images else 0,
        notes=(*pasted.printed, *large_batches(plan)[:1]),
        weights=compared,
        weights_error=problem,
    )


def _deployed(pasted: NetDefinition, shape: tuple[int, int, int]) -> frozenset[str]:
    """The names of the layers that are deployed; the plan has those of one phase only."""
    from protonet.jobs.definitions.network import make_deploy

    try:
        return frozenset(each.name for each in make_deploy(pasted, shape).definition.net.layer)
    except NetworkError:
        return frozenset()


def print_weights(report: WeightsReport, problem: str) -> None:
    """Print the report: a line for each layer with parameters, and for each unused one; then why
    a training would refuse the weights, if so.
    """
    rows = [
        (layer.name, layer.type, layer.state, _shapes(layer.found), _shapes(layer.expected))
        for layer in report.layers
    ]
    rows += [(each.name, "", "unused", _shapes(each.found), "") for each in report.unused]
    click.echo()
    print_table(("layer", "type", "weights", "found", "expected"), rows, folds=("found",))
    if problem:
        note(problem)


def _shapes(shapes: tuple[tuple[int, ...], ...]) -> str:
    from protonet.layers.base import shape_text

    return ", ".join(map(shape_text, shapes)) or "none"
