"""``protonet augment``: pictures of what a network's data layer makes of images."""

from __future__ import annotations

from pathlib import Path

import click

from protonet.cli.answer_pictures import make_folder
from protonet.cli.examples import CommandWithExamples
from protonet.cli.options import Count

_PATH = click.Path(path_type=Path)


@click.command(
    "augment",
    cls=CommandWithExamples,
    short_help="Show what augmentation makes of images.",
    examples=[
        "protonet augment net.prototxt --data train_images",
        "protonet augment ssd.prototxt augmented --data train_images --count 10 --variants 3",
    ],
)
@click.argument("network", metavar="NETWORK")
@click.argument("folder", metavar="[DIR]", default=Path("augmented"), type=_PATH)
@click.option("--data", type=_PATH, required=True, metavar="DB", help="The images.")
@click.option("--count", type=Count(1), default=4, show_default=True, metavar="N",
              help="The number of images, from the first one.")  # fmt: skip
@click.option("--variants", type=click.IntRange(1, 100), default=5, show_default=True,
              metavar="N", help="How often each is augmented.")  # fmt: skip
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True,
              help="Seed of the random steps.")  # fmt: skip
@click.option("--side", type=click.IntRange(16, 4096), default=400, show_default=True,
              metavar="PIXELS", help="The longer side of each image.")  # fmt: skip
def command(
    network: str, folder: Path, data: Path, count: int, variants: int, seed: int, side: int
) -> None:
    """Show images of a database with the crop, mirroring, distortion, expansion and sampled windows
    of the data layer for training of the text NETWORK ('-': standard input).

    The folder DIR (augmented) gets a picture for each image: on the left as it is, with its boxes
    if it has any, then as several epochs would see it, without mean and scale.
    """
    from protonet.data.augmented_images import augmented_images
    from protonet.formats.atomic import write_atomic
    from protonet.jobs.definitions.boxes import BoxFiles
    from protonet.jobs.definitions.inputs import InputOptions
    from protonet.jobs.detection.sheets import sheet
    from protonet.jobs.reading.network import read_network, shapes_of_inputs

    definition = read_network(network, shapes_of_inputs(InputOptions(data=data)))
    names = BoxFiles.find(data, None).classes()
    images = augmented_images(definition, data, count=count, variants=variants, seed=seed)
    for place, image in enumerate(images, 1):
        if place == 1:
            make_folder(folder)
        path = folder / f"{place:04d}.png"
        write_atomic(path, sheet(image, names, side))
        click.echo(f"{path}: {image.key.decode(errors='replace')}")
