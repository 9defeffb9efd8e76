"""Reading texts: fast when right, helpful when not, safe when hostile."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from protonet.errors import NetworkError, UsageError
from protonet.proto.caffe_pb2 import NetParameter
from protonet.proto.text import Source, parse, read_net, read_solver, write_text

LAYER = 'layer { name: "n%d" type: "Power" bottom: "a"\n  top: "b" power_param { scale: 2 } }\n'


def test_a_long_text_is_read_fast() -> None:
    text = "".join(LAYER % i for i in range(3500))
    assert text.count("\n") == 7000
    began = time.process_time()
    assert len(read_net(Source("long", text)).net.layer) == 3500
    assert time.process_time() - began < 2


def test_a_mistake_is_shown_with_its_line_and_a_caret() -> None:
    with pytest.raises(NetworkError) as caught:
        read_net(Source("net.prototxt", 'name: "x"\n\tlayer { nme: "y" type: "Z" }\n'))
    assert str(caught.value) == (
        "net.prototxt:2:10: no field 'nme' in LayerParameter; did you mean 'name'?\n"
        '    \tlayer { nme: "y" type: "Z" }\n'
        "    \t        ^"
    )


@pytest.mark.parametrize(
    "text",
    [
        "{" * 5000,
        "layer {" * 50_000,
        "a: " * 50_000,
        "'" * 100_000,
        "[:" * 30_000,
        "layer { name: 'x' " * 99,
        '"' + "\\" * 100_000,
        "-" * 100_000,
        "\x00\x01\x02" * 1000,
    ],
)
def test_hostile_texts_end_soon_in_a_mistake(text: str) -> None:
    began = time.process_time()
    with pytest.raises(NetworkError) as caught:
        read_net(Source("net", text))
    assert caught.value.mistakes
    assert time.process_time() - began < 10


def test_layers_without_type_are_mistakes() -> None:
    with pytest.raises(NetworkError) as caught:
        read_net(Source("net", 'layer { type: "A" }\nlayer { name: "b" }'))
    assert [(m.line, m.message) for m in caught.value.mistakes] == [
        (2, "this layer ('b') has no type"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "net: is empty; expected a net"),
        (" \n\t\n", "net: holds nothing but blanks"),
        ("# layer { }\n", "net: holds nothing but comments"),
        ('name: "n" force_backward: true', "net: has no layer, only name, force_backward"),
    ],
)
def test_a_text_without_a_layer_is_a_mistake(text: str, message: str) -> None:
    with pytest.raises(NetworkError, match=message):
        read_net(Source("net", text))


@pytest.mark.parametrize(
    ("comment", "name"),
    [
        (b"\xd6\xd0\xce\xc4 GBK", b"\xd6\xd0\xce\xc4"),
        (b"\xe9\xe8 Latin-1", b"\xe9"),
        ("Zürich UTF-8".encode(), "Zürich".encode()),
    ],
)
def test_comments_and_strings_in_any_encoding_are_read(
    tmp_path: Path, comment: bytes, name: bytes
) -> None:
    path = tmp_path / "net.prototxt"
    path.write_bytes(b"# " + comment + b'\nname: "' + name + b'"\ninput: "a" input_dim: [1,2,3,4]')
    net = read_net(Source.read(path)).net
    expected = {b"\xd6\xd0\xce\xc4": "ÖÐÎÄ", b"\xe9": "é"}.get(name, "Zürich")
    assert (net.name, list(net.layer[0].input_param.shape[0].dim)) == (expected, [1, 2, 3, 4])


def test_long_lines_of_rubbish_are_shown_in_part() -> None:
    with pytest.raises(NetworkError) as caught:
        read_net(Source("net", "}" * 10_000))
    assert len(str(caught.value)) < 40_000
    assert caught.value.mistakes[-1].message.endswith(" more mistakes") or (
        len(caught.value.mistakes) == 100
    )
    with pytest.raises(NetworkError) as caught:
        read_net(Source("net", "x" * 300 + " @ " + "y" * 300))
    assert all(len(line) < 500 for line in str(caught.value).splitlines()[1:])


def test_a_brace_too_deep_is_shown_where_it_stands() -> None:
    with pytest.raises(NetworkError) as caught:
        read_net(Source("net", "\n" + "layer {" * 101))
    assert str(caught.value).startswith("net:2:707: this brace is inside 100 others")


def test_two_dialects_in_one_text_are_a_mistake() -> None:
    with pytest.raises(NetworkError, match="net:1:33: both 'layer' and the older 'layers'"):
        read_net(Source("net", 'layer { name: "a" type: "A" }   layers { name: "b" }'))


def test_what_only_protobuf_refuses_is_told_in_its_words() -> None:
    with pytest.raises(NetworkError, match=r"net:1:\d+: "):
        parse(Source("net", 'name: "\\xZZ"'), NetParameter)


def test_a_text_beyond_the_limit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for module in ("source", "text"):
        monkeypatch.setattr(f"protonet.proto.{module}.SIZE_LIMIT", 20)
    (tmp_path / "net").write_text("#" * 21)
    with pytest.raises(UsageError, match="is longer than"):
        Source.read(tmp_path / "net")
    with pytest.raises(NetworkError, match="longer than"):
        read_net(Source("net", "#" * 21))


def test_a_net_given_for_a_solver_and_the_reverse_is_one_mistake() -> None:
    net = 'name: "n" layer { name: "d" type: "Input" top: "d" }'
    with pytest.raises(NetworkError) as caught:
        read_solver(Source("train_val.prototxt", net))
    assert str(caught.value) == (
        "train_val.prototxt: is a net; expected a solver, which names its net: "
        'net: "train_val.prototxt"'
    )
    with pytest.raises(NetworkError) as caught:
        read_net(Source("solver.prototxt", 'net: "n.prototxt" base_lr: 0.1'))
    assert str(caught.value) == (
        "solver.prototxt: is a solver; expected a net, such as the one that it names"
    )
    with pytest.raises(NetworkError, match="no field 'layer' in SolverParameter"):
        read_solver(Source("s", f"{net} base_lr: 0.1"))


def test_a_solver_is_read_and_written() -> None:
    solver = read_solver(Source("s", "base_lr: 0.1 solver_type: ADAM"))
    assert solver.type == "Adam"
    assert "base_lr: 0.1\n" in write_text(solver)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('require "nn"\nlocal net = nn.Sequential()\n', "1:1"),
        ("-- LeNet\nlocal net = nn.Sequential()\n", "2:1"),
        ("return function(params)\n  return { model = net }\nend\n", "1:1"),
        ("if pcall(x) then y = 1 end\nfunction build.net(n)\nend\n", "1:1"),
    ],
)
def test_lua_is_told_once_by_its_name(text: str, place: str) -> None:
    with pytest.raises(NetworkError) as caught:
        read_net(Source("net", text))
    (mistake,) = caught.value.mistakes
    assert str(mistake).startswith(f"net:{place}: this is Lua, a network of Torch; expected a net")


def test_prototxt_with_words_of_lua_is_told_as_prototxt() -> None:
    with pytest.raises(NetworkError, match="no field 'nme'"):
        read_net(Source("net", 'layer { name: "local x = 1" nme: "y" }  # return function'))


@pytest.mark.parametrize("given", ["[0, 1]", "[ 0 ]", "[0,1,2,3]", "0"])
def test_of_the_gpus_of_a_solver_the_first_is_read(given: str) -> None:
    text = f'# device_id: [5]\nnet: "a"\ndevice_id: {given}\nmax_iter: 3\n'
    solver = read_solver(Source("solver.prototxt", text))
    assert solver.HasField("device_id")
    assert (solver.device_id, solver.max_iter) == (0, 3)


def test_a_list_of_gpus_is_no_mistake_among_others() -> None:
    with pytest.raises(NetworkError) as caught:
        read_solver(Source("solver.prototxt", "device_id: [0, 1]\nmax_iterations: 3\n"))
    assert len(caught.value.mistakes) == 1
