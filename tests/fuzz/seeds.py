"""Sound inputs of every kind, which the mutants are made of."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
from PIL import Image

from protonet.data.datum import encode_image, make_datum
from protonet.data.writer import DatabaseWriter
from protonet.errors import ProtonetError
from protonet.formats.blobs import from_array
from protonet.graph.planning import plan_net
from protonet.layers import layer_types
from protonet.layers.base import LayerContext
from protonet.proto.caffe_pb2 import TRAIN, Datum, NetParameter, SolverState
from protonet.proto.text import Source, read_net
from protonet.resources import layer_page
from protonet.torch7 import serial
from protonet.torch7.objects import Function, Table, Tensor, TorchObject

NET = """\
name: "small"
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 } } }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip"
  inner_product_param { num_output: 4 } }
layer { name: "act" type: "ReLU" bottom: "ip" top: "ip" }
layer { name: "norm" type: "BatchNorm" bottom: "ip" top: "norm" }
"""


def texts() -> list[bytes]:
    """The nets of the layers' pages, those that need no files."""
    found = [NET]
    for name in layer_types():
        page = layer_page(name) or ""
        found += re.findall(r"```(?:prototxt)?\n(.*?)```", page.split("## Example")[-1], re.DOTALL)
    sound = []
    for text in found:
        try:
            context = LayerContext(python_layers=False)
            plan_net(read_net(Source("net.prototxt", text)), phase=TRAIN, context=context).close()
        except ProtonetError:
            continue
        sound.append(text.encode())
    assert len(sound) > len(layer_types()) * 0.8, "few pages have nets that build"
    return sound


def _array(*shape: int, kind: type = np.float32) -> np.ndarray:
    return np.random.default_rng(3).normal(size=shape).astype(kind)


def models() -> list[bytes]:
    """Weights of ``NET``: packed floats, doubles, raw bytes, old shapes."""
    net = NetParameter(name="small")
    net.layer.add(name="data", type="Input")
    blobs = [from_array(_array(4, 3)), from_array(_array(4))]
    net.layer.add(name="ip", type="InnerProduct", blobs=blobs)
    norm = [from_array(_array(4)), from_array(_array(4)), from_array(_array(1))]
    net.layer.add(name="norm", type="BatchNorm", blobs=norm)
    doubles = NetParameter()
    both = [from_array(_array(*shape, kind=np.float64)) for shape in ((4, 3), (4,))]
    doubles.layer.add(name="ip", blobs=both)
    old = NetParameter()
    layer = old.layers.add(name="ip", type="INNER_PRODUCT")
    layer.blobs.add(num=1, channels=1, height=4, width=3, data=_array(12))
    layer.blobs.add(num=1, channels=1, height=1, width=4, data=_array(4))
    raw = NetParameter()
    layer_1 = raw.layer.add(name="ip")
    for shape in ((4, 3), (4,)):
        blob = layer_1.blobs.add(raw_data_type=2)
        blob.raw_data = _array(*shape, kind=np.float16).tobytes()
        blob.shape.dim.extend(shape)
    return [each.SerializeToString() for each in (net, doubles, old, raw)]


def states() -> list[bytes]:
    """Solver states of ``NET``."""
    found = []
    for history in ([(4, 3), (4,), (4,), (4,), (1,)], [(1, 1, 4, 3), (4,), (4,), (4,), (1,)]):
        state = SolverState(iter=7, learned_net="small_iter_7.caffemodel", current_step=1)
        state.history.extend(from_array(_array(*shape)) for shape in history)
        found.append(state.SerializeToString())
    return found


def resumes() -> list[bytes]:
    """What lies beside a state."""
    return [
        b'{"net": {"passes": 7, "layers": {}}, "tests": [{"passes": 3, "layers": {}}], '
        b'"losses": {"window": [0.5, 0.25], "next": 1}}',
        b'{"net": {"passes": 7, "layers": {"data": {"position": 3}}}, "tests": [], '
        b'"losses": {"window": [], "next": 0}, "loss_scale": [1024.0, 3.0]}',
    ]


def records() -> list[bytes]:
    """Records of a database: raw bytes, floats, encoded images."""
    pixels = np.random.default_rng(3).integers(0, 256, (3, 5, 7), np.uint8)
    floats = Datum(channels=2, height=1, width=1, float_data=[0.5, -0.25])
    encoded = [
        Datum(data=encode_image(pixels, kind), encoded=True, label=3)
        for kind in ("png", "jpg", "bmp", "webp")
    ]
    return [each.SerializeToString() for each in (make_datum(pixels, label=1), floats, *encoded)]


def images() -> list[bytes]:
    """Encoded images, gray and colour, with a palette, with 16 bits."""
    pixels = np.random.default_rng(3).integers(0, 256, (9, 11, 3), np.uint8)
    colour, found = Image.fromarray(pixels), []
    forms = [(colour, kind) for kind in ("PNG", "JPEG", "BMP", "WEBP", "GIF", "TIFF", "PPM")]
    forms += [(colour.convert("P"), "PNG"), (colour.convert("L"), "JPEG")]
    forms += [(Image.fromarray(pixels[..., 0].astype(np.uint16) * 257), "PNG")]
    for image, kind in forms:
        file = io.BytesIO()
        image.save(file, kind)
        found.append(file.getvalue())
    return found


def means() -> list[bytes]:
    """Mean images as BlobProto, and as .npy behind a first byte that tells them apart."""
    file = io.BytesIO()
    np.save(file, _array(3, 4, 5))
    blobs = [from_array(_array(*shape)).SerializeToString() for shape in ((1, 3, 4, 5), (3, 4, 5))]
    return [*(b"b" + blob for blob in blobs), b"n" + file.getvalue()]


def databases(folder: Path) -> list[bytes]:
    """LMDB files: of a few records, and of records that need pages of their own."""
    found = []
    for name, count, size in (("few", 3, 4), ("long", 4, 60)):
        with DatabaseWriter(folder / name) as writer:
            for i in range(count):
                image = np.full((1, size, size), i, np.uint8)
                writer.put(f"{i:04}".encode(), make_datum(image, label=i))
        data = (folder / name / "data.mdb").read_bytes()
        found.append(data.rstrip(b"\0") + bytes(-len(data.rstrip(b"\0")) % 4096))
    return found


def torch_files() -> list[bytes]:
    """A module in every form of a .t7 file; tensors of every kind that share their storages."""
    weight = Tensor.of(_array(4, 3))
    row = Tensor("Float", weight.storage, 3, (3,), (1,))
    linear = TorchObject("nn.Linear", Table(weight=weight, bias=row, train=False, eps=0.5))
    model = TorchObject(
        "nn.Sequential", Table(modules=Table.of([linear, linear]), output=Tensor("Float"))
    )
    kinds = ("Double", "Half", "Byte", "Long", "CudaHalf")
    many = Table.of([model, *(Tensor.of(_array(2, 3), kind) for kind in kinds), Function("x")])
    many[linear] = many
    forms = [serial.write(value, "ascii") for value in (model, many)]
    forms += [serial.write(value, long_size=size) for value in (model, many) for size in (4, 8)]
    return forms
