"""``protonet test``: what a trained net says of its test data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from protonet.cli.caffe_flags import chosen_device, chosen_model, chosen_stages, takes_model
from protonet.cli.examples import Exemplified
from protonet.cli.extensions import takes_imports

if TYPE_CHECKING:
    from protonet.train.events import Output


@click.command(
    "test",
    cls=Exemplified,
    short_help="Average a net's outputs over its test data.",
    examples=[
        "protonet test train_val.prototxt --weights net_iter_1000.caffemodel --iterations 100",
        "protonet test -model train_val.prototxt -weights net.caffemodel -iterations 10 -gpu 0",
    ],
)
@takes_model
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
) -> None:
    """Run the network in the prototxt file NETWORK in phase TEST and average its outputs.

    Prints the outputs of every batch and then their means, in the words of `caffe test`.
    """
    from protonet.jobs.measuring import average_outputs, open_net
    from protonet.proto.caffe_pb2 import TEST

    net = open_net(
        chosen_model(network, model),
        phase=TEST,
        level=level,
        stages=chosen_stages(stage),
        weights=weights,
        device=chosen_device(gpu, device),
    )

    def show(index: int, outputs: list[Output]) -> None:
        for output in outputs:
            click.echo(f"Batch {index}, {output.name} = {output.value:g}")

    try:
        loss, means = average_outputs(net, iterations, show)
    finally:
        net.close()
    click.echo(f"Loss: {loss:g}")
    for output in means:
        weighted = ""
        if output.loss_weight:
            product = output.loss_weight * output.value
            weighted = f" (* {output.loss_weight:g} = {product:g} loss)"
        click.echo(f"{output.name} = {output.value:g}{weighted}")
