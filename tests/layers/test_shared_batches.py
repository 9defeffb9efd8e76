"""Parts of batches: what three ranks read is what one reads, in its order, for every layer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from PIL import Image

from protonet.data.datum import make_datum
from protonet.data.writer import DatabaseWriter
from protonet.device import Device
from protonet.errors import NetworkError
from protonet.graph.net import Net
from protonet.graph.planning import plan_net
from protonet.jobs.checks.sharing import refuse_whole_batches
from protonet.layers.base import LayerContext
from protonet.layers.batches import StreamLayer
from protonet.proto.caffe_pb2 import TRAIN, AnnotatedDatum
from protonet.proto.text import Source, read_net
from protonet.ranks.communicator import Communicator

RANKS = 3
LAYERS = {
    "Data": 'data_param { source: "db" batch_size: %d shuffle: true } '
    "transform_param { crop_size: 4 mirror: true }",
    "AnnotatedData": 'data_param { source: "db" batch_size: %d shuffle: true } '
    "transform_param { mirror: true resize_param { resize_mode: WARP height: 5 width: 7 } }",
    "ImageData": 'image_data_param { source: "images.txt" batch_size: %d shuffle: true } '
    "transform_param { crop_size: 4 mirror: true }",
    "HDF5Data": 'hdf5_data_param { source: "rows.txt" batch_size: %d }',
    "HDF5Data, shuffled": 'hdf5_data_param { source: "rows.txt" batch_size: %d shuffle: true }',
    "WindowData": 'window_data_param { source: "windows.txt" batch_size: %d fg_fraction: 0.5 } '
    "transform_param { crop_size: 4 mirror: true }",
    "VideoData": 'video_data_param { source: "clips.txt" use_image: true new_length: 2 '
    "batch_size: %d shuffle: true } transform_param { crop_size: 4 mirror: true }",
    "VideoData, segments": 'video_data_param { source: "videos.txt" num_segments: 2 modality: RGB '
    'name_pattern: "%%06d.png" batch_size: %d shuffle: true } '
    "transform_param { crop_size: 4 mirror: true }",
}


class Rank(Communicator):
    """One of three."""

    size = RANKS

    def __init__(self, rank: int) -> None:
        self.rank = rank


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eleven images as files, in a database, as frames of videos and in a list of windows; rows in
    two files.
    """
    made = tmp_path_factory.mktemp("data")
    images = np.random.default_rng(0).integers(0, 256, (11, 6, 8, 3), np.uint8)
    (made / "video").mkdir()
    windows = []
    with DatabaseWriter(made / "db") as writer:
        for at, image in enumerate(images):
            Image.fromarray(image).save(made / f"{at}.png")
            for kind in ("png", "jpg"):
                Image.fromarray(image).save(made / "video" / f"{at + 1:06}.{kind}")
            windows.append(f"# {at}\n{at}.png\n3 6 8 2\n{at + 1} 0.9 1 1 6 4\n0 0.1 0 0 7 5\n")
            datum = AnnotatedDatum(datum=make_datum(image.transpose(2, 0, 1), label=at))
            writer.put(f"{at:02}".encode(), datum)
    (made / "windows.txt").write_text("".join(windows))
    (made / "images.txt").write_text("".join(f"{at}.png {at}\n" for at in range(11)))
    (made / "clips.txt").write_text("".join(f"video {at} {at}\n" for at in range(1, 10)))
    (made / "videos.txt").write_text("".join(f"video {4 + at} {at}\n" for at in range(7)))
    for name, first, last in (("a", 0, 5), ("b", 5, 11)):
        with h5py.File(made / f"{name}.h5", "w") as file:
            file["data"] = images[first:last, ..., 0].astype(np.float32)
            file["label"] = np.arange(first, last, dtype=np.float32)
    (made / "rows.txt").write_text("a.h5\nb.h5\n")
    return made


def make(folder: Path, text: str, **context: Any) -> Net:
    settings = LayerContext(folder, seed=5, threads=2, **context)
    plan = plan_net(read_net(Source("net", text)), phase=TRAIN, context=settings)
    if not settings.ranks.alone:
        refuse_whole_batches(plan)
    return Net(plan, Device("cpu"))


def batches(net: Net, count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    found = []
    for _ in range(count):
        net.forward()
        found.append((net.blobs["data"].data.copy(), net.blobs["label"].data.copy()))
    return found


def check(
    whole: Sequence[tuple[np.ndarray, np.ndarray]],
    parts: Sequence[Sequence[tuple[np.ndarray, np.ndarray]]],
    places: Sequence[slice],
) -> None:
    for number, batch in enumerate(whole):
        for rank, place in enumerate(places):
            for ours, theirs in zip(parts[rank][number], batch, strict=True):
                np.testing.assert_array_equal(ours, theirs[place])


@pytest.mark.parametrize("name", LAYERS)
def test_parts_are_those_of_the_batch_of_one_rank(folder: Path, name: str) -> None:
    """A batch of 7 over three ranks, and of 2 for each, over the ends of epochs; from the position
    of a snapshot, and after batches that are passed over.
    """
    kind = name.partition(",")[0]
    text = f'layer {{ name: "in" type: "{kind}" top: "data" top: "label" {LAYERS[name]} }}'
    for size, each in ((7, 7), (6, 2)):
        alone = make(folder, text % size)
        whole = batches(alone, 5)
        assert len({batch[0].tobytes() for batch in whole}) == 5
        parts, places = [], []
        for rank in range(RANKS):
            net = make(folder, text % each, ranks=Rank(rank), batch_per_rank=each != size)
            found = batches(net, 2)
            state = net.state()
            batches(net, 1)
            net.restore(state)
            (layer,) = net.layers
            assert isinstance(layer, StreamLayer)
            assert layer.part is not None
            layer.skip(1)
            parts.append(found + batches(net, 2))
            places.append(layer.part.places)
            net.close()
        check(whole[:2] + whole[3:], parts, places)
        alone.close()


def test_arrays_of_a_script_are_refused(folder: Path) -> None:
    text = (
        'layer { name: "in" type: "MemoryData" top: "data" top: "label" memory_data_param { '
        "batch_size: 6 channels: 1 height: 2 width: 3 } }"
    )
    with pytest.raises(NetworkError, match=r'"in" \(MemoryData\): a script gives its arrays to on'):
        make(folder, text, ranks=Rank(0))


class Host(Communicator):
    """One of three ranks, of which the first two are on one host."""

    size = RANKS

    def __init__(self, rank: int, everyone: Sequence[Any] = ()) -> None:
        self.rank, self.host, self.everyone = rank, "aab"[rank], everyone
        self.said: Any = None

    def gather(self, value: Any) -> Sequence[Any]:
        self.said = value
        return self.everyone or [value]


SHARDED = {
    "ImageData": 'image_data_param { source: "%s_{host}.txt" batch_size: 7 } '
    "transform_param { crop_size: 4 mirror: true }",
    "AnnotatedData": 'data_param { source: "%s_{host}" batch_size: 7 } '
    "transform_param { mirror: true resize_param { resize_mode: WARP height: 5 width: 7 } }",
    "Data": 'data_param { source: "%s_{host}" batch_size: 7 } '
    "transform_param { crop_size: 4 mirror: true }",
}


@pytest.mark.parametrize("kind", SHARDED)
def test_a_shard_of_each_host(folder: Path, kind: str) -> None:
    """Two ranks share the first, and read neighbouring images of it: so shards with just the images
    that ranks take of a batch of 7 are as good as the whole, mirrors included.
    """
    taken = {"whole": range(7), "a": range(4), "b": range(4, 7)}
    for host, at in taken.items():
        numbers = [7 * batch + place for batch in range(3) for place in at]
        lines = [f"{number % 11}.png {number}\n" for number in numbers]
        (folder / f"shard_{host}.txt").write_text("".join(lines))
        if not (folder / f"shard_{host}").exists():
            write_images(folder, f"shard_{host}", numbers)
    text = f'layer {{ name: "in" type: "{kind}" top: "data" top: "label" {SHARDED[kind]} }}'
    whole = batches(make(folder, text.replace("{host}", "whole") % "shard"), 6)
    ranks = [Host(rank) for rank in range(RANKS)]
    for rank in ranks:
        make(folder, text % "shard", ranks=rank, shards=rank).close()
    parts, places = [], []
    for rank in range(RANKS):
        own = Host(rank, [each.said for each in ranks])
        net = make(folder, text % "shard", ranks=own, shards=own)
        (layer,) = net.layers
        assert isinstance(layer, StreamLayer)
        assert layer.shard is not None
        assert (layer.shard.shards, layer.shard.length) == (2, 21)
        parts.append(batches(net, 6))
        places.append(own.part(7).places)
        net.close()
    check(whole, parts, places)


def write_images(folder: Path, name: str, numbers: Sequence[int]) -> None:
    with DatabaseWriter(folder / name) as writer:
        for place, number in enumerate(numbers):
            image = np.asarray(Image.open(folder / f"{number % 11}.png"))[..., ::-1]
            datum = AnnotatedDatum(datum=make_datum(image.transpose(2, 0, 1), label=number))
            writer.put(f"{place:02}".encode(), datum)


def test_one_rank_has_one_list(folder: Path) -> None:
    text = f'layer {{ name: "in" type: "ImageData" top: "data" {SHARDED["ImageData"]} }}' % "shard"
    with pytest.raises(NetworkError, match="names a shard for each rank, and there is one rank"):
        make(folder, text)
