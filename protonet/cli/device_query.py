"""``protonet device-query``: the available devices."""

from __future__ import annotations

import click

from protonet.cli.gflags import GflagsCommand


@click.command(
    "device-query",
    cls=GflagsCommand,
    short_help="Show the available devices.",
    examples=[
        "protonet device-query",
        "protonet device-query -gpu 0",
        "protonet device-query --ranks 2",
    ],
)
@click.option(
    "--gpu",
    "-gpu",
    metavar="N[,N...]|all",
    default="all",
    show_default=True,
    help="The GPUs to show.",
)
@click.option(
    "--ranks",
    type=click.IntRange(1),
    metavar="N",
    help="Start N ranks on this machine, and show each of them; mpiexec or srun before the command "
    "starts them on several.",
)
@click.pass_context
def command(ctx: click.Context, gpu: str, ranks: int | None) -> None:
    """Show the CPU, the GPUs visible to CuPy, with their names and memory; the ranks that this
    command was started with; and MPI and NCCL, which connect ranks.
    """
    import os

    from protonet.cli.ranks import started_ranks
    from protonet.device import Device
    from protonet.kernels import native
    from protonet.ranks.description import describe, mpi_lines, nccl_line
    from protonet.sizes import byte_count

    numbers = None if gpu == "all" else [int(each) for each in gpu.split(",") if each.isdecimal()]
    if numbers is not None and len(numbers) != len(gpu.split(",")):
        raise click.UsageError(f"-gpu {gpu}: expected comma-separated numbers, or all")
    together = started_ranks(ctx, ranks)
    described = describe(together)
    if together.rank:
        return
    free, total = Device().memory()
    click.echo(f"cpu: {os.cpu_count()} cores, {byte_count(total)} ({byte_count(free)} free)")
    click.echo(f"  kernels: {native.described()}")
    for each in described:
        click.echo("\n".join(each.lines()))
    click.echo("\n".join([*mpi_lines(), nccl_line()]))
    _show_gpus(numbers)


def _show_gpus(numbers: list[int] | None) -> None:
    """Show the GPUs of these numbers, or all, if there are any."""
    from protonet.errors import DeviceError
    from protonet.gpus import gpu_properties

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
