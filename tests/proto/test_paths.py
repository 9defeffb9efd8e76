"""Names of files inside a net's message."""

from __future__ import annotations

from google.protobuf import text_format

from protonet.proto.caffe_pb2 import NetParameter
from protonet.proto.paths import named, without_folders

TEXT = """
layer { name: "d" type: "Data" data_param { source: "/data/me/train_db" batch_size: 3 }
  transform_param { mean_file: "means/mean.binaryproto" } }
layer { name: "i" type: "ImageData"
  image_data_param { source: "/data/me/list.txt" root_folder: "/data/me/images/" } }
layer { name: "o" type: "HDF5Output" hdf5_output_param { file_name: "/data/me/out.h5" } }
layer { name: "w" type: "WindowData" window_data_param { source: "../list.txt" } }
layer { name: "ip" type: "InnerProduct" }
"""


def test_the_files_that_a_layer_reads() -> None:
    net = text_format.Parse(TEXT, NetParameter())
    found = [[getattr(*each) for each in named(layer)] for layer in net.layer]
    assert found == [
        ["/data/me/train_db", "means/mean.binaryproto"],
        ["/data/me/list.txt"],
        [],
        ["../list.txt"],
        [],
    ]


def test_of_absolute_paths_the_name_is_left() -> None:
    net = without_folders(text_format.Parse(TEXT, NetParameter()))
    assert "/data" not in str(net)
    assert net.layer[0].data_param.source == "train_db"
    assert net.layer[0].transform_param.mean_file == "means/mean.binaryproto"
    assert net.layer[1].image_data_param.root_folder == "images"
    assert net.layer[2].hdf5_output_param.file_name == "out.h5"
    assert net.layer[3].window_data_param.source == "../list.txt"
