"""``protonet device-query``: the available devices."""

from __future__ import annotations

import click

from protonet.cli.gflags import GflagsCommand


@click.command(
    "device-query",
    cls=GflagsCommand,
    short_help="Show the available devices.",
    examples=["protonet device-query", "protonet device-query -gpu 0"],
)
@click.option(
    "--gpu",
    "-gpu",
    metavar="N[,N...]|all",
    default="all",
    show_default=True,
    help="The GPUs to show.",
)
def command(gpu: str) -> None:
    """Show the CPU, and the GPUs visible to CuPy, with their names and memory."""
    import os

    from protonet.device import Device
    from protonet.errors import DeviceError
    from protonet.gpus import gpu_properties
    from protonet.kernels import native
    from protonet.sizes import byte_count

    free, total = Device().memory()
    click.echo(f"cpu: {os.cpu_count()} cores, {byte_count(total)} ({byte_count(free)} free)")
    click.echo(f"  kernels: {native.described()}")
    numbers = None if gpu == "all" else [int(each) for each in gpu.split(",") if each.isdecimal()]
    if numbers is not None and len(numbers) != len(gpu.split(",")):
        raise click.UsageError(f"-gpu {gpu}: expected comma-separated numbers, or all")
    try:
        found = gpu_properties(numbers)
    except DeviceError as error:
        if numbers is not None:
            raise
        click.echo(f"no GPU: {error}")
        return
    for number, properties in found.items():
        click.echo(f"cuda:{number}:")
        for name, value in properties.items():
            click.echo(f"  {name}: {value}")
