"""Names of files inside a message, and those that escapes have spoiled."""

from __future__ import annotations

import pytest
from google.protobuf import text_format

from protonet.errors import NetworkError
from protonet.proto.caffe_pb2 import NetParameter, SolverParameter
from protonet.proto.paths import path_findings, paths_in, without_folders
from protonet.proto.text import Source, read_net, read_solver

TEXT = """
layer { name: "d" type: "Data" data_param { source: "/data/me/train_db" batch_size: 3 }
  transform_param { mean_file: "means/mean.binaryproto" } }
layer { name: "i" type: "ImageData"
  image_data_param { source: "/data/me/list.txt" root_folder: "/data/me/images/" } }
layer { name: "o" type: "HDF5Output" hdf5_output_param { file_name: "/data/me/out.h5" } }
layer { name: "w" type: "WindowData" window_data_param { source: "../list.txt" } }
layer { name: "v" type: "VideoData" video_data_param { source: "videos.txt" } }
layer { name: "o" type: "DetectionOutput" detection_output_param {
  save_output_param { output_directory: "/data/me/found" label_map_file: "/data/me/map" } } }
layer { name: "m" type: "MeanValues" mean_param { file: "/data/me/mean" } }
layer { name: "ip" type: "InnerProduct" }
"""


def test_the_files_that_a_layer_reads() -> None:
    net = text_format.Parse(TEXT, NetParameter())
    found = [[each.path for each in paths_in(layer)] for layer in net.layer]
    assert found == [
        ["means/mean.binaryproto", "/data/me/train_db"],
        ["/data/me/list.txt"],
        [],
        ["../list.txt"],
        ["videos.txt"],
        ["/data/me/map"],
        ["/data/me/mean"],
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


def test_paths_of_windows_are_told_to_use_slashes() -> None:
    layer = 'layer {{ name: "d" type: "Data" top: "d" data_param {{ source: "{}" }} }}'
    with pytest.raises(NetworkError) as caught:
        read_net(Source("net", layer.format(r"C:\temp\new")))
    assert str(caught.value) == (
        "net:1:62: 'source' holds a tab (from '\\t') and a line break (from '\\n')\n"
        '    layer { name: "d" type: "Data" top: "d" data_param { source: "C:\\temp\\new" } }\n'
        + " " * 65
        + "^\n    write paths with '/', on Windows too, or each backslash twice"
    )
    with pytest.raises(NetworkError) as caught:
        read_net(Source("net", layer.format(r"C:\Users\data")))
    (mistake,) = caught.value.mistakes
    assert mistake.message == "'\\U' is no escape of a string"
    assert (mistake.column, mistake.hint[:21]) == (65, "write paths with '/',")
    fine = read_net(Source("net", layer.format(r"C:\\temp\\new"))).net
    assert fine.layer[0].data_param.source == "C:\\temp\\new"


def test_paths_of_solvers_are_looked_at_and_other_texts_are_not() -> None:
    with pytest.raises(NetworkError, match=r"s:1:23: 'weights' holds a bell"):
        read_solver(Source("s", r'weights: "a" weights: "b\a"'))
    with pytest.raises(NetworkError, match=r"s:1:18: 'snapshot_prefix' holds a zero byte"):
        read_solver(Source("s", r'snapshot_prefix: "a\000b"'))
    layer = r'layer { name: "p" type: "Python" python_param { param_str: "k:\n - 1" } }'
    assert read_net(Source("net", layer)).net.layer[0].python_param.param_str == "k:\n - 1"
    assert list(path_findings(SolverParameter(net="a\tb", type="a\tb"))) == [
        (
            ("net",),
            "'net' holds a tab (from '\\t')",
            "write paths with '/', on Windows too, or each backslash twice",
        )
    ]
