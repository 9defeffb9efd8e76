"""``protonet quantize``: a trained net for inference in 8-bit integers."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from protonet.cli.caffe_flags import chosen_stages
from protonet.cli.examples import CommandWithExamples
from protonet.cli.extensions import import_option
from protonet.cli.options import Count, Fraction, Int32, snapshot_option
from protonet.cli.terminal import note, print_table, progress
from protonet.cli.untrusted_option import untrusted_option

if TYPE_CHECKING:
    from protonet.jobs.quantization.comparison import Comparison
    from protonet.jobs.quantization.quantize import Quantized
    from protonet.jobs.quantization.subject import Given

_PATH = click.Path(path_type=Path)


# long: half of it is its options and its help
@click.command(
    "quantize",
    cls=CommandWithExamples,
    short_help="Quantize a trained net to 8-bit integers.",
    examples=[
        "protonet quantize runs/net-20260131-120000 --out int8.caffemodel",
        "protonet quantize train_val.prototxt net.caffemodel --data train_db --out int8.caffemodel",
        "protonet quantize deploy.prototxt net.caffemodel --data photos/ --mean 104,117,123 "
        "--out int8.caffemodel",
        "protonet quantize deploy.prototxt net.caffemodel --data val.txt --count 200 "
        "--ranges percentile --percentile 99.9 --out int8.caffemodel",
    ],
)
@click.argument("net", metavar="RUN|NET", type=_PATH)
@click.argument("weights", metavar="[WEIGHTS]", type=_PATH, required=False)
@click.option(
    "--out", "-o", type=_PATH, metavar="FILE", required=True, help="The .caffemodel to write."
)
@click.option(
    "--data",
    type=_PATH,
    metavar="DB",
    help="The records: a database; for a net with an Input also a folder of images or a list. "
    "Default: those of the data layers in NET, or the validation data of RUN.",
)
@click.option("--labels", type=_PATH, metavar="DB", help="The label vectors of --data.")
@click.option(
    "--count",
    type=Count(1),
    default=500,
    show_default=True,
    metavar="N",
    help="Records to calibrate with, spread evenly over all.",
)
@click.option(
    "--compare",
    type=Count(0),
    default=1000,
    show_default=True,
    metavar="N",
    help="Other records to compare with float32 on; 0 for none.",
)
@click.option(
    "--ranges",
    type=click.Choice(["mse", "percentile", "minmax"]),
    default="mse",
    show_default=True,
    help="How the range of a blob is chosen: with the least mean squared error, without a share of "
    "its extreme values, or all of them.",
)
@click.option(
    "--percentile",
    type=Fraction(50, 100, min_open=True),
    metavar="P",
    help="Of --ranges percentile: the share of values, in percent, below the end of a range. "
    "Default: 99.99.",
)
@click.option(
    "--mean",
    metavar="FILE|V[,V...]",
    default="",
    help="Of a net with an Input: the mean to subtract. Default: none.",
)
@click.option(
    "--input-scale",
    type=float,
    metavar="F",
    help="Of a net with an Input: the scale factor after the mean is subtracted. Default: 1.",
)
@snapshot_option("The weights of RUN")
@click.option("--level", type=Int32(), default=0, show_default=True, help="Level of NET.")
@click.option("--stage", metavar="NAME[,NAME...]", default="", help="Stages of NET.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as a JSON object.")
@untrusted_option
@import_option
def command(
    net: Path,
    weights: Path | None,
    out: Path,
    count: int,
    compare: int,
    ranges: str,
    percentile: float | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Quantize the trained net of the run directory RUN, of a model downloaded from DIGITS, or of
    the prototxt file NET with WEIGHTS, after training: measure the range of its blobs on some
    records, and write these ranges and the weights in float32 to one .caffemodel.

    With this file `infer`, `classify` and `test` compute convolutions and fully connected layers in
    8-bit integers, where the processor can (AVX2, AVX512-VNNI, AMX); Caffe reads it as any other.

    Prints a table of these layers: the range of what a layer reads, the share of values outside of
    it, and the ratio of signal to noise, in decibels, of what it reads and of its weights, whose
    scales are per output channel. Then the net with this file is compared with float32 on other
    records: the share of same answers, and the accuracies, where the true classes are known.
    """
    from protonet.device import Device
    from protonet.errors import UsageError
    from protonet.graph.int8 import computes_in_integers
    from protonet.jobs.json_form import finite_json
    from protonet.jobs.quantization.quantize import Counts, quantize
    from protonet.jobs.quantization.ranges import PERCENTILE, RangeChoice
    from protonet.jobs.quantization.subject import opened

    if percentile is not None and ranges != "percentile":
        raise UsageError("--percentile goes with --ranges percentile")
    choice = RangeChoice(ranges, PERCENTILE if percentile is None else percentile)
    counts = Counts(calibrated=count, compared=compare)
    with opened(_given(net, weights, given), Device()) as subject:
        for line in subject.notes:
            note(line)
        if compare and not computes_in_integers(subject.device):
            note(f"{subject.device.name}: has no 8-bit integers: answers not compared")
        with progress("records") as watch:
            found = quantize(subject, out, choice, counts, watch.stage)
    if as_json:
        click.echo(json.dumps(finite_json({"file": str(out), **vars(found)})))
        return
    _print(found)
    click.echo(out)


def _given(net: Path, weights: Path | None, given: dict[str, Any]) -> Given:
    """The options, as the job takes them."""
    from protonet.jobs.inference.classification import Preprocessing
    from protonet.jobs.quantization.subject import Given

    scale = given["input_scale"]
    return Given(
        net=net,
        weights=weights,
        snapshot=given["snapshot"],
        data=given["data"],
        labels=given["labels"],
        how=Preprocessing(mean=given["mean"], input_scale=1.0 if scale is None else scale),
        level=given["level"],
        stages=chosen_stages(given["stage"]),
        python_layers=not given["untrusted"],
    )


def _print(found: Quantized) -> None:
    print_table(
        ("layer", "type", "low", "high", "clipped", "blob dB", "weights dB"),
        [
            (
                layer.name,
                layer.type,
                f"{layer.bottom.low:.4g}",
                f"{layer.bottom.high:.4g}",
                f"{layer.bottom.clipped:.3%}",
                _decibels(layer.bottom.snr),
                _decibels(layer.weights),
            )
            for layer in found.layers
        ],
        numbers=("low", "high", "clipped", "blob dB", "weights dB"),
    )
    click.echo(f"\n{found.records} records for calibration")
    if found.others:
        click.echo(f"in float32 as before: {', '.join(found.others)}")
    if found.comparison is not None:
        if not found.disjoint:
            note("compared on records of the calibration, for there are no others")
        _print_comparison(found.comparison)


def _print_comparison(compared: Comparison) -> None:
    click.echo(f"beside float32 on {compared.records} records:")
    if compared.agreement is not None:
        click.echo(f"  same answers (top-1): {compared.agreement:.2%}")
    if compared.accuracies is not None:
        one, two = compared.accuracies
        click.echo(f"  accuracy (top-1): {two:.2%}, in float32 {one:.2%}")
    for output in compared.outputs:
        if output.means is None:
            click.echo(f"  {output.name}: {_decibels(output.snr)} dB of signal to noise")
        elif compared.accuracies is None:
            one, two = output.means
            click.echo(f"  {output.name}: {two:.6g}, in float32 {one:.6g}")


def _decibels(value: float) -> str:
    return f"{value:.1f}" if math.isfinite(value) else "exact" if value > 0 else "-"
