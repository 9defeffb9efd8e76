"""``caffe.draw``: a picture of a network, without Graphviz."""

from __future__ import annotations

from os import PathLike, fspath
from pathlib import Path

from protonet.graph.drawing import draw_net as _draw
from protonet.proto import rules
from protonet.proto.caffe_pb2 import NetParameter
from protonet.proto.text import NetDefinition, Source


def draw_net_to_file(
    caffe_net: NetParameter,
    filename: str | PathLike[str],
    rankdir: str = "LR",
    phase: int | None = None,
    display_lrm: bool = False,
) -> None:
    """Write a picture (.svg, .png, .jpg or .pdf) of a net; with ``phase``, of its layers in that
    phase, and with ``display_lrm`` with the lr_mult of those that have weights.

    Raises:
        UsageError: for another kind of file or direction.
    """
    path = Path(fspath(filename))
    _draw(_of_phase(caffe_net, phase), path, direction=rankdir, rates=display_lrm)


def draw_net(
    caffe_net: NetParameter,
    rankdir: str = "LR",
    ext: str = "png",
    phase: int | None = None,
    display_lrm: bool = False,
) -> bytes:
    """The picture as bytes."""
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        path = Path(folder) / f"net.{ext}"
        draw_net_to_file(caffe_net, path, rankdir, phase, display_lrm)
        return path.read_bytes()


def _of_phase(net: NetParameter, phase: int | None) -> NetParameter:
    if phase is None:
        return net
    definition = NetDefinition.of(net, Source("net", ""))
    return rules.filter_layers(definition, rules.state_of(net, phase, 0, ())).net
