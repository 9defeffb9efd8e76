"""Input, DummyData and Data: shapes, values, what they refuse, and what a resume needs."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import plyvel
import pytest
from google.protobuf import text_format

from protonet.data.create import create_gradients
from protonet.data.database import Database
from protonet.data.datum import decode, make_datum
from protonet.data.transform import load_mean
from protonet.data.writer import DatabaseWriter
from protonet.device import Device
from protonet.errors import DataError, LayerError
from protonet.graph.net import Net
from protonet.graph.planning import plan_net
from protonet.kernels.random_stream import Clock, RandomStream
from protonet.layers import layer_class
from protonet.layers.base import Layer, LayerContext, Shape
from protonet.layers.inputs import Data
from protonet.layers.instantiation import instantiate
from protonet.proto.caffe_pb2 import TEST, TRAIN, AnnotatedDatum, LayerParameter
from protonet.proto.text import Source, read_net
from protonet.ranks.communicator import Communicator

ROOT = Path(__file__).parents[2]
COUNT = 5


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """``db``: five records 2x3x4 with labels 10 to 14."""
    images = np.random.default_rng(3).integers(0, 256, (COUNT, 2, 3, 4), np.uint8)
    with DatabaseWriter(tmp_path / "db") as writer:
        for index, image in enumerate(images):
            writer.put(str(index).encode(), make_datum(image, label=10 + index))
    return tmp_path


def make(text: str, folder: Path | None = None, phase: int = TRAIN, **context: object) -> Layer:
    spec = text_format.Parse(text, LayerParameter(name="in"))
    settings = LayerContext(folder or Path(), **context)
    layer = layer_class(spec.type)(spec, phase, settings)
    layer.setup()
    return layer


class Run:
    """A layer that is set up, with tops to write to."""

    def __init__(self, layer: Layer, device: Device | None = None) -> None:
        self.device = device or Device()
        self.clock = Clock(self.device)
        stream = RandomStream(self.device, 0, "in", self.clock)
        layer = instantiate(layer, self.device, np.float32, stream)
        shapes = layer.infer([])
        layer.build([])
        self.layer = layer
        self.tops = [self.device.empty(shape) for shape in shapes]

    def forward(self) -> list[np.ndarray]:
        self.layer.forward([], self.tops)
        self.clock.iteration += 1
        return [self.device.get(top).copy() for top in self.tops]


# Input.


@pytest.mark.parametrize(
    ("tops", "shapes", "expected"),
    [
        (1, ["dim: 2 dim: 3"], [(2, 3)]),
        (2, ["dim: 2 dim: 3"], [(2, 3), (2, 3)]),
        (2, ["dim: 2 dim: 3", "dim: 5"], [(2, 3), (5,)]),
        (1, [""], [()]),
    ],
)
def test_input_shapes(tops: int, shapes: list[str], expected: list[Shape]) -> None:
    names = " ".join(f'top: "t{i}"' for i in range(tops))
    given = " ".join(f"shape {{ {shape} }}" for shape in shapes)
    assert make(f'type: "Input" {names} input_param {{ {given} }}').infer([]) == expected


def test_input_leaves_its_tops_to_the_caller() -> None:
    layer = make('type: "Input" top: "t" input_param { shape { dim: 3 dim: 2 } }')
    top = np.arange(6, dtype=np.float32).reshape(3, 2)
    layer.forward([], [top])
    np.testing.assert_array_equal(top, np.arange(6).reshape(3, 2))


@pytest.mark.parametrize(
    ("text", "message", "path"),
    [
        ('type: "Input" top: "t"', "expected 1 shape, got 0", ("input_param", "shape")),
        (
            'type: "Input" top: "t" top: "u" top: "v" input_param { shape {} shape {} }',
            "expected 1 or 3 (one for each top) shape, got 2",
            ("input_param", "shape"),
        ),
        (
            'type: "Input" top: "t" top: "u" '
            "input_param { shape { dim: 4 } shape { dim: 2 dim: 0 } }",
            "expected axes of 1 or more, got shape 2x0",
            ("input_param", "shape", 1),
        ),
        (
            'type: "DummyData" top: "t" dummy_data_param { shape { dim: -1 } }',
            "expected axes of 1 or more, got shape -1",
            ("dummy_data_param", "shape", 0),
        ),
        (
            'type: "DummyData" top: "t" dummy_data_param { num: 1 channels: 2 height: 3 }',
            "num, channels, height and width must have the same number of entries, got 1, 1, 1, 0",
            ("dummy_data_param",),
        ),
        (
            'type: "DummyData" top: "t" dummy_data_param { num: 1 shape { dim: 1 } }',
            "shape and num, channels, height, width are both given; shape alone is enough",
            ("dummy_data_param", "shape"),
        ),
        (
            'type: "DummyData" top: "t" '
            "dummy_data_param { shape {} data_filler {} data_filler {} }",
            "expected 1 data_filler, got 2",
            ("dummy_data_param", "data_filler"),
        ),
        (
            'type: "DummyData" top: "t" top: "u" dummy_data_param { shape {} data_filler {} '
            'data_filler { type: "unifrom" } }',
            "unknown filler type 'unifrom'; did you mean 'uniform'?",
            ("dummy_data_param", "data_filler", 1, "type"),
        ),
    ],
)
def test_what_is_refused(text: str, message: str, path: tuple[str | int, ...]) -> None:
    with pytest.raises(LayerError, match=f"^{re.escape(message)}$") as caught:
        make(text)
    assert caught.value.path == path


# DummyData.


def test_dummy_values() -> None:
    layer = make(
        'type: "DummyData" top: "a" top: "b" top: "c" dummy_data_param {'
        " num: 2 num: 3 num: 4 channels: 3 channels: 1 channels: 2 height: 5 height: 2 height: 3"
        " width: 1 width: 4 width: 2 data_filler { value: 2.5 } data_filler {"
        ' type: "uniform" min: 3 max: 4 } data_filler { type: "gaussian" std: 2 } }'
    )
    run = Run(layer)
    first, second = run.forward(), run.forward()
    assert [top.shape for top in first] == [(2, 3, 5, 1), (3, 1, 2, 4), (4, 2, 3, 2)]
    for tops in (first, second):
        np.testing.assert_array_equal(tops[0], np.full((2, 3, 5, 1), 2.5))
        assert ((tops[1] >= 3) & (tops[1] < 4)).all()
        assert 1 < tops[2].std() < 3
    assert not np.isclose(first[1], second[1]).any()
    run.clock.iteration = 1
    for again, before in zip(run.forward(), second, strict=True):
        np.testing.assert_array_equal(again, before)


def test_dummy_data_without_a_filler_is_zero() -> None:
    run = Run(make('type: "DummyData" top: "t" dummy_data_param { shape { dim: 2 dim: 3 } }'))
    np.testing.assert_array_equal(run.forward()[0], np.zeros((2, 3)))


def test_constants_survive_shared_memory() -> None:
    """In inference a blob's memory is used again once its last reader is done."""
    text = """
    layer { name: "c" type: "DummyData" top: "c"
      dummy_data_param { shape { dim: 2 dim: 3 } data_filler { value: 3 } } }
    layer { name: "a" type: "Power" bottom: "c" top: "a" power_param { power: 2 } }
    layer { name: "b" type: "Power" bottom: "a" top: "b" power_param { power: 2 } }
    layer { name: "d" type: "Power" bottom: "b" top: "d" power_param { shift: 1 } }
    """
    plan = plan_net(read_net(Source("net.prototxt", text)), phase=TEST)
    net = Net(plan, Device(), packed=True, fuse=False)
    for _ in range(3):
        net.forward()
        np.testing.assert_array_equal(net.blobs["d"].data, np.full((2, 3), 82))


# Data.

DATA = 'type: "Data" top: "data" top: "label" data_param { source: "db" batch_size: 3 %s } %s'


def images_of(folder: Path) -> np.ndarray:
    with Database(folder / "db") as database:
        return np.stack([decode(datum, "") for _, datum in database]).astype(np.float32)


def data(folder: Path, param: str = "", more: str = "", **settings: object) -> Run:
    return Run(make(DATA % (param, more), folder, **settings))


@pytest.mark.parametrize("backend", ["", "backend: LMDB", "backend: LEVELDB"])
def test_batches_with_labels(folder: Path, backend: str) -> None:
    """LEVELDB is the schema's default, which many texts forget to change."""
    run, images = data(folder, backend), images_of(folder)
    layer = run.layer
    assert isinstance(layer, Data)
    assert (layer.length, layer.batch_size) == (COUNT, 3)
    for rows in ([0, 1, 2], [3, 4, 0], [1, 2, 3]):
        found, labels = run.forward()
        np.testing.assert_array_equal(found, images[rows])
        np.testing.assert_array_equal(labels, np.array(rows) + 10)
    layer.close()


def test_the_last_batch_of_an_epoch_is_what_is_left(folder: Path) -> None:
    run, images = data(folder, "partial_batches: true"), images_of(folder)
    layer = run.layer
    assert isinstance(layer, Data)
    assert layer.traits.varies
    assert layer.variants() == [[(3, 2, 3, 4), (3,)], [(2, 2, 3, 4), (2,)]]
    for rows in ([0, 1, 2], [3, 4], [0, 1, 2]):
        assert layer.upcoming() == [(len(rows), 2, 3, 4), (len(rows),)]
        run.tops = [np.empty(shape, np.float32) for shape in layer.upcoming()]
        found, labels = run.forward()
        np.testing.assert_array_equal(found, images[rows])
        np.testing.assert_array_equal(labels, np.array(rows) + 10)
    layer.close()


def ranks_of(rank: int, size: int) -> Communicator:
    ranks = Communicator()
    ranks.rank, ranks.size = rank, size
    return ranks


def test_partial_batches_are_shared_out(folder: Path) -> None:
    """Three records of five, then two."""
    text = DATA % ("partial_batches: true", "transform_param { mirror: true }")
    whole = Run(make(text, folder))
    expected = []
    for _ in range(4):
        whole.tops = [np.empty(shape, np.float32) for shape in whole.layer.upcoming()]
        expected.append(whole.forward())
    for rank in (0, 1):
        run = Run(make(text, folder, ranks=ranks_of(rank, 2)))
        layer = run.layer
        assert isinstance(layer, Data)
        count = (1, 2)[rank]
        assert [shapes[1] for shapes in layer.variants()] == [(count,), (1,)]
        for images, labels in expected:
            part = layer.upcoming_part()
            assert part == ranks_of(rank, 2).part(len(labels))
            run.tops = [np.empty(shape, np.float32) for shape in layer.upcoming()]
            found = run.forward()
            np.testing.assert_array_equal(found[0], images[part.places])
            np.testing.assert_array_equal(found[1], labels[part.places])
        layer.close()
    whole.layer.close()


def test_a_last_batch_that_is_too_small_for_the_ranks_is_refused(folder: Path) -> None:
    with pytest.raises(LayerError, match="last batch of an epoch has 2 records, for 3 ranks"):
        make(DATA % ("partial_batches: true", ""), folder, ranks=ranks_of(0, 3))
    with pytest.raises(LayerError, match="batches of each rank cannot end with the epoch"):
        make(
            DATA % ("partial_batches: true", ""), folder, ranks=ranks_of(0, 2), batch_per_rank=True
        )


def test_partial_batches_cannot_be_shifted(folder: Path) -> None:
    with pytest.raises(LayerError, match="rand_skip cannot shift") as caught:
        data(folder, "partial_batches: true rand_skip: 2")
    assert caught.value.path == ("data_param", "rand_skip")


def test_a_leveldb_gives_what_the_lmdb_gives(folder: Path) -> None:
    with Database(folder / "db") as database:
        level = plyvel.DB(str(folder / "level"), create_if_missing=True)
        for key, datum in database:
            level.put(key, datum.SerializeToString())
        level.close()
    text = DATA % ("shuffle: true", "transform_param { mirror: true }")
    runs = [Run(make(text.replace('"db"', f'"{name}"'), folder)) for name in ("db", "level")]
    for _ in range(4):
        expected, found = (run.forward() for run in runs)
        for left, right in zip(expected, found, strict=True):
            np.testing.assert_array_equal(left, right)
    for run in runs:
        run.layer.close()


def test_one_top(folder: Path) -> None:
    run = Run(make('type: "Data" top: "x" data_param { source: "db" batch_size: 2 }', folder))
    (found,) = run.forward()
    np.testing.assert_array_equal(found, images_of(folder)[:2])


def test_the_source_is_found_as_in_caffe_or_beside_the_text(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    make(DATA % ("", "")).close()
    make(DATA.replace('"db"', f'"{folder / "db"}"') % ("", ""), Path("elsewhere")).close()


def test_the_transformation(folder: Path) -> None:
    mean = np.random.default_rng(1).uniform(0, 255, (2, 3, 4)).astype(np.float32)
    np.save(folder / "mean.npy", mean)
    param = 'transform_param { mean_file: "mean.npy" scale: 0.5 crop_size: 2 }'
    run = data(folder, "", param, phase=TEST)
    expected = ((images_of(folder)[:3] - mean) * np.float32(0.5))[:, :, 0:2, 1:3]
    np.testing.assert_array_equal(run.forward()[0], expected)


@pytest.mark.parametrize(("force", "channels"), [("color", 3), ("gray", 1)])
def test_forced_colours(tmp_path: Path, force: str, channels: int) -> None:
    with DatabaseWriter(tmp_path / "db") as writer:
        writer.put(b"1", make_datum(np.full((4 - channels, 5, 2), 7, np.uint8), encoded=True))
    run = data(tmp_path, "", f"transform_param {{ force_{force}: true }}")
    np.testing.assert_array_equal(run.forward()[0], np.full((3, channels, 5, 2), 7))


@pytest.mark.parametrize(
    ("param", "settings", "shuffled"),
    [
        ("", {}, False),
        ("", {"shuffle": True}, True),
        ("", {"shuffle": True, "phase": TEST}, False),
        ("shuffle: true", {}, True),
        ("shuffle: false", {"shuffle": True}, False),
    ],
)
def test_who_shuffles(
    folder: Path, param: str, settings: dict[str, object], shuffled: bool
) -> None:
    run = data(folder, param, seed=6, **settings)
    order = np.concatenate([run.forward()[1] for _ in range(5)]) - 10
    epochs = order.reshape(3, COUNT)
    assert (np.sort(epochs) == np.arange(COUNT)).all()
    assert (epochs != np.arange(COUNT)).any() == shuffled


@pytest.mark.parametrize("param", ["cache: true", "cache: false", "threads: 3", "rand_skip: 4"])
def test_how_it_is_read_changes_no_values(folder: Path, param: str) -> None:
    run = data(folder, param, "transform_param { mirror: true }", seed=2)
    again = data(folder, param, "transform_param { mirror: true }", seed=2)
    start = int(run.forward()[1][0]) - 10
    again.forward()
    assert start < (4 if "skip" in param else 1)
    expected = {(start + 3 + i) % COUNT + 10 for i in range(3)}
    found, labels = run.forward()
    assert set(labels.astype(int).tolist()) == expected
    for image, label in zip(found, labels.astype(int) - 10, strict=True):
        stored = images_of(folder)[label]
        assert np.array_equal(image, stored) or np.array_equal(image, stored[:, :, ::-1])
    np.testing.assert_array_equal(again.forward()[0], found)
    run.layer.close()
    again.layer.close()


def test_skips_differ_by_seed(folder: Path) -> None:
    starts = {int(data(folder, "rand_skip: 5", seed=seed).forward()[1][0]) for seed in range(30)}
    assert starts == {10, 11, 12, 13, 14}


@pytest.mark.parametrize("more", ["", "transform_param { mirror: true crop_size: 2 }"])
def test_state_goes_on_where_it_was(folder: Path, more: str) -> None:
    run = data(folder, "shuffle: true", more)
    run.forward()
    run.forward()
    state = run.layer.state()
    assert state == {"position": 6}
    expected = run.forward()
    resumed = data(folder, "shuffle: true", more)
    resumed.layer.restore(state)
    for found, before in zip(resumed.forward(), expected, strict=True):
        np.testing.assert_array_equal(found, before)
    run.layer.close()
    resumed.layer.close()


def test_before_it_is_built_there_is_no_state(folder: Path) -> None:
    layer = make(DATA % ("", ""), folder)
    assert layer.state() == {}
    layer.restore({"position": 3})
    layer.close()


@pytest.mark.parametrize(
    ("text", "message", "path"),
    [
        ("data_param { batch_size: 2 }", "needs a source", ("data_param",)),
        ('data_param { source: "db" }', "needs a batch_size", ("data_param",)),
        (
            'data_param { source: "db" batch_size: 0 }',
            "needs a batch_size of 1 or more",
            ("data_param",),
        ),
        (
            'data_param { source: "db" batch_size: 1 } '
            "transform_param { force_color: true force_gray: true }",
            "force_color and force_gray are both set",
            ("transform_param", "force_gray"),
        ),
        (
            'data_param { source: "db" batch_size: 1 } transform_param { crop_size: 4 }',
            "crop_size 4 is larger than the images, which are 3x4",
            ("transform_param", "crop_size"),
        ),
        (
            'data_param { source: "level" batch_size: 1 }',
            "level is a LevelDB, which needs plyvel",
            ("data_param", "source"),
        ),
    ],
)
def test_settings_that_cannot_be(
    folder: Path,
    text: str,
    message: str,
    path: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "plyvel", None)
    (folder / "level").mkdir()
    for name in ("CURRENT", "MANIFEST-000001"):
        (folder / "level" / name).touch()
    with pytest.raises(LayerError, match=message) as caught:
        make(f'type: "Data" top: "data" {text}', folder)
    assert caught.value.path == path
    if "LevelDB" in message:
        assert "pip install 'protonet[leveldb]'" in caught.value.hint
        assert "convert_imageset --backend=lmdb" in caught.value.hint


def test_the_images_of_records_with_boxes(folder: Path) -> None:
    """Theirs are read; class numbers only where the records have them."""
    with Database(folder / "db") as database:
        records = list(database)
    for name, label in (("boxes", -1), ("classes", 4)):
        with DatabaseWriter(folder / name) as writer:
            for key, datum in records:
                datum.label = label
                writer.put(key, AnnotatedDatum(datum=datum, type=AnnotatedDatum.BBOX))
    text = 'type: "Data" top: "data" data_param { source: "boxes" batch_size: 3 }'
    run = Run(make(text, folder))
    np.testing.assert_array_equal(run.forward()[0], images_of(folder)[:3])
    run.layer.close()
    with pytest.raises(LayerError, match=r"'label' would be class numbers, but .*boxes") as caught:
        make(text.replace('"data"', '"data" top: "label"', 1), folder)
    assert caught.value.path == ("top", 1)
    assert "an AnnotatedData layer reads the boxes" in caught.value.hint
    classes = Run(make((DATA % ("", "")).replace("db", "classes"), folder))
    assert classes.forward()[1].tolist() == [4, 4, 4]
    classes.layer.close()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('data_param { source: "absent" batch_size: 1 }', "absent: there is no such database"),
        (
            'data_param { source: "db" batch_size: 1 } transform_param { mean_file: "absent" }',
            "absent: cannot be read",
        ),
    ],
)
def test_data_errors_come_through(folder: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        make(f'type: "Data" top: "data" {text}', folder)


def test_a_refused_layer_holds_no_files(folder: Path) -> None:
    """Where a setting is refused after the database was opened, it is closed again."""
    import lmdb

    with pytest.raises(LayerError, match="crop_size"):
        make(DATA % ("", "transform_param { crop_size: 9 }"), folder)
    lmdb.open(str(folder / "db"), lock=False).close()


def test_a_layer_that_was_not_set_up_closes() -> None:
    Data(LayerParameter(type="Data")).close()


def test_the_seed_data_set_as_caffe_reads_it(tmp_path: Path) -> None:
    create_gradients(tmp_path / "set", 6, 5, 12, 2, 0)
    text = (
        'type: "Data" top: "data" data_param { source: "set/train_images" batch_size: 12 } '
        'transform_param { mean_file: "set/train_mean.binaryproto" }'
    )
    (found,) = Run(make(text, tmp_path)).forward()
    np.testing.assert_allclose(found.mean(0), 0, atol=1e-4)
    with Database(tmp_path / "set" / "train_images") as database:
        first = decode(database.first()[1], "")
    mean = load_mean(tmp_path / "set" / "train_mean.binaryproto")
    np.testing.assert_array_equal(found[0], first - mean)


@pytest.mark.gpu
@pytest.mark.parametrize("more", ["", "transform_param { mirror: true crop_size: 2 }"])
def test_a_gpu_gets_the_same(folder: Path, more: str) -> None:
    on_cpu = data(folder, "shuffle: true", more)
    on_gpu = Run(make(DATA % ("shuffle: true", more), folder), Device("cuda:0"))
    for _ in range(4):
        for found, expected in zip(on_gpu.forward(), on_cpu.forward(), strict=True):
            np.testing.assert_array_equal(found, expected)
    on_cpu.layer.close()
    on_gpu.layer.close()


@pytest.mark.gpu
def test_a_gpu_gets_the_same_dummies() -> None:
    text = (
        'type: "DummyData" top: "a" top: "b" dummy_data_param { shape { dim: 2 dim: 3 } '
        'data_filler { value: 4 } data_filler { type: "gaussian" } }'
    )
    on_cpu, on_gpu = Run(make(text)), Run(make(text), Device("cuda:0"))
    for _ in range(2):
        for found, expected in zip(on_gpu.forward(), on_cpu.forward(), strict=True):
            np.testing.assert_array_equal(found, expected)


# The pages.


@pytest.mark.parametrize("name", ["Input", "DummyData"])
def test_examples_run(name: str) -> None:
    page = (ROOT / "layers" / f"{name}.md").read_text()
    (example,) = re.findall(r"```prototxt\n(.*?)```", page, re.DOTALL)
    definition = read_net(Source(f"{name}.md", example))
    assert name in {layer.type for layer in definition.net.layer}
    net = Net(plan_net(definition, phase=TRAIN), Device())
    for value in net.plan.inputs:
        net.blobs[value.name].data.fill(1)
    net.forward()
    assert all(np.isfinite(array).all() for _, array, _ in net.outputs())


def test_the_example_of_data_runs_once_its_database_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Made by the command that the page gives."""
    page = (ROOT / "layers" / "Data.md").read_text()
    ((reason, example),) = re.findall(r"```prototxt no-run: ([^\n]*)\n(.*?)```", page, re.DOTALL)
    assert "examples/data" in reason
    assert "protonet create-db gradients examples/data" in page
    monkeypatch.chdir(tmp_path)
    create_gradients("examples/data", 7, 5, 20, 2, 0)
    net = Net(plan_net(read_net(Source("Data.md", example)), phase=TRAIN), Device())
    net.forward()
    net.backward()
    assert net.loss() > 0
    assert net.store.diff.any()
    net.close()
