"""``protonet extract-features``: store the values of blobs in databases."""

from __future__ import annotations

from pathlib import Path

import click

from protonet.cli.caffe_flags import chosen_device
from protonet.cli.extensions import import_option
from protonet.cli.gflags import GflagsCommand
from protonet.cli.options import Count
from protonet.cli.terminal import note, progress
from protonet.cli.untrusted_option import untrusted_option

_PATH = click.Path(path_type=Path)


@click.command(
    "extract-features",
    cls=GflagsCommand,
    short_help="Store the values of blobs of a net in databases.",
    examples=[
        "protonet extract-features net.caffemodel train_val.prototxt fc7 features 10",
        "protonet extract-features net.caffemodel train_val.prototxt fc6,fc7 db6,db7 10 lmdb GPU",
    ],
)
@click.argument("weights", metavar="WEIGHTS")
@click.argument("network", metavar="NETWORK", type=_PATH)
@click.argument("blobs", metavar="BLOB[,BLOB...]")
@click.argument("databases", metavar="DB[,DB...]")
@click.argument("batches", metavar="BATCHES", type=Count(1))
@click.argument(
    "kind", metavar="[lmdb|leveldb]", type=click.Choice(["lmdb", "leveldb"]), default="lmdb"
)
@click.argument("processor", metavar="[CPU|GPU]", type=click.Choice(["CPU", "GPU"]), default="CPU")
@click.argument("number", metavar="[N]", default="0")
@untrusted_option
@import_option
def command(
    weights: str,
    network: Path,
    blobs: str,
    databases: str,
    batches: int,
    kind: str,
    processor: str,
    number: str,
    untrusted: bool,
) -> None:
    """Run the network in the prototxt file NETWORK with WEIGHTS over BATCHES batches of its data
    in phase TEST; store each item of every BLOB in the corresponding database DB.

    The arguments are those of Caffe's extract_features. Keys are item numbers with ten digits,
    values are floats.
    """
    from protonet.errors import UsageError, nearest
    from protonet.jobs.inference.features import extract_features
    from protonet.jobs.inference.open_net import NetOptions, open_net
    from protonet.proto.caffe_pb2 import TEST

    stores = _stores(blobs, databases)
    number = number.removeprefix("DEVICE_ID=")
    device = chosen_device(number if processor == "GPU" else None, None)
    options = NetOptions(phase=TEST, weights=weights, device=device, python_layers=not untrusted)
    net = open_net(network, options, notify=note)
    try:
        for name in stores:
            if name not in net.blobs:
                raise UsageError(f"{network}: has no blob '{name}'{nearest(name, net.blobs)}")
        with progress("batches") as watch:
            count = extract_features(net, stores, batches, watch, backend=kind)
    finally:
        net.close()
    for name, path in stores.items():
        click.echo(f"{path}: {count} items of '{name}' ({kind})")


def _stores(blobs: str, databases: str) -> dict[str, Path]:
    """The database of each blob, from two comma-separated lists."""
    names = [each.strip() for each in blobs.split(",")]
    paths = [Path(each.strip()) for each in databases.split(",")]
    if len(names) != len(paths):
        raise click.UsageError(f"{len(names)} blob(s), but {len(paths)} database(s)")
    return dict(zip(names, paths, strict=True))
