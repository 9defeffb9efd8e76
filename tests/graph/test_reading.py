"""Mistakes of fields and of layers, told together."""

from __future__ import annotations

import pytest

from protonet.errors import NetworkError
from protonet.graph.reading import read_prototxt
from protonet.proto.source import Source

MANY = """\
layer { name: "a" type: "InnerProduct" bottom: "data" top: "a" inner_product_param { num_outptu: 3 } }
layer { name: "r" type: "ReLUU" bottom: "a" top: "r" }
layer { name: "c" type: "Convolution" bottom: "r" top: "c" convolution_param { num_output: 2 } }
layer { name: "e" type: "Accuracy" bottom: "r" top: "e" }
layer { name: "t" type: "TanH" bottom: "r" top: "c" }
layer { name: "l" type: "SoftmaxWithLoss" bottom: "cc" bottom: "label" top: "loss" }
"""  # noqa: E501 - a layer a line


def told(text: str, *given: str) -> list[str]:
    """Line, what the caret points at, and the message without the layer's name."""
    with pytest.raises(NetworkError) as caught:
        read_prototxt(Source("net.prototxt", text), given)
    assert all(mistake.file == "net.prototxt" for mistake in caught.value.mistakes)
    found = []
    for mistake in caught.value.mistakes:
        assert mistake.excerpt == text.split("\n")[mistake.line - 1]
        word = mistake.excerpt[mistake.column - 1 :].split()[0].rstrip(":")
        message = mistake.message.split("): ")[-1].partition(";")[0]
        found.append(f"{mistake.line} {word} {message}")
    return found


def test_fields_types_settings_and_blobs_at_once() -> None:
    assert told(MANY) == [
        "1 num_outptu no field 'num_outptu' in InnerProductParameter",
        "2 \"ReLUU\" unknown layer type 'ReLUU'",
        "3 convolution_param convolution_param needs a kernel_size",
        "4 layer expected 2 bottom blob(s), got 1",
        "5 \"c\" top blob 'c' is already made by layer 'c'",
        "6 \"cc\" unknown bottom blob 'cc'",
    ]


DAMAGED = 'name: "a" bottom: "data" top: "a"'


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        ('type: "InnerProduct" inner_product_param { num_outptu: 3 }', ["num_outptu"]),
        ('type: "Convolution" convolution_parm { num_output: 3 }', ["convolution_parm"]),
        ('typ: "ReLU"', ["typ"]),
        ("type: ReLU", ["ReLU"]),
        ('type: "Concat" bottm: "data"', ["bottm"]),
        ('type: "ReLU" type: "ReLU"', ["type"]),
        ('type: "Clip" clip_param { min: 1 maxx: 2 }', ["clip_param", "maxx"]),
        ("", ["layer"]),  # it has no type
        ('type: "Pooling" pooling_param { pool: MAXX }', ["MAXX"]),
    ],
)
def test_nothing_follows_from_a_damaged_layer(layer: str, expected: list[str]) -> None:
    """Not of its own settings, nor of those who read what it makes."""
    text = (
        f"layer {{ {DAMAGED} {layer} }}\n"
        'layer { name: "p" type: "InnerProduct" bottom: "a" top: "p"'
        " inner_product_param { num_output: 2 } }\n"
        'layer { name: "l" type: "SoftmaxWithLoss" bottom: "p" bottom: "label" }\n'
    )
    assert [each.split()[:2] for each in told(text)] == [["1", word] for word in expected]


def test_of_a_damaged_layer_the_type_and_the_bottoms_are_judged() -> None:
    text = 'layer { name: "a" type: "Powr" bottom: "dta" top: "a" power_param { scal: 2 } }'
    assert told(text) == [
        "1 \"Powr\" unknown layer type 'Powr'",
        "1 \"dta\" unknown bottom blob 'dta'",
        "1 scal no field 'scal' in PowerParameter",
    ]


@pytest.mark.parametrize(
    ("above", "word"),
    [
        ('layer { name: "a" type: "ReLU" bottom: "data" tpo: "a" }', "tpo"),
        ('layer { name: "a" type: "ReLU" bottom: "data" top: a }', "a"),
        ('leyer { name: "a" type: "ReLU" bottom: "data" top: "a" }', "leyer"),
        ('inptu: "a" input_shape { dim: 1 dim: 4 }', "inptu"),
        ('input: "a" input_dmi: 1', "input_dmi"),
        ('input: "a" input_shape { dmi: 1 }', "dmi"),
    ],
)
def test_what_a_damaged_field_may_make_is_not_missed(above: str, word: str) -> None:
    text = f'{above}\nlayer {{ name: "r" type: "ReLUU" bottom: "a" top: "r" }}\n'
    assert [each.split()[:2] for each in told(text)] == [["1", word], ["2", '"ReLUU"']]


@pytest.mark.parametrize(
    ("above", "message"),
    [
        ('layer { name: "a" type: "ReLU" top: }', "expected a value after 'top:'"),
        ('layer { name: "a" type: "ReLU" top: "a }', "this string has no closing quote"),
        ('layer { name: "a" type: "ReLU" top: "a"', "the '{' of 'layer' is never closed"),
        ('layer { name: "a" type: "ReLU" top: "a" } }', "this '}' closes nothing"),
    ],
)
def test_with_mistakes_of_syntax_blobs_are_not_judged(above: str, message: str) -> None:
    text = f'{above}\nlayer {{ name: "r" type: "ReLUU" bottom: "a" top: "r" }}\n'
    first, second = told(text)
    assert message in first
    assert second == "2 \"ReLUU\" unknown layer type 'ReLUU'"


def test_layers_of_two_states_may_make_the_same_blob() -> None:
    rule = 'include { phase: %s } top: "a" bottom: "data" }\n'
    text = (
        f'layer {{ name: "a" type: "ReLU" {rule % "TRAIN"}'
        f'layer {{ name: "b" type: "TanH" {rule % "TEST"}'
        'layer { name: "c" type: "ReLU" bottom: "a" top: "c" relu_parm { } }\n'
    )
    assert told(text) == ["3 relu_parm no field 'relu_parm' in LayerParameter"]


def test_blobs_that_options_give() -> None:
    text = (
        'layer { name: "a" type: "ReLU" bottom: "pixels" top: "a" }\n'
        'layer { name: "b" type: "TanH" bottom: "a" top: "b" tanh_parm { } }\n'
    )
    assert [each.split()[:2] for each in told(text)] == [["1", '"pixels"'], ["2", "tanh_parm"]]
    assert [each.split()[:2] for each in told(text, "pixels")] == [["2", "tanh_parm"]]


def test_neither_files_nor_code_of_users() -> None:
    text = (
        'layer { name: "i" type: "InfogainLoss" bottom: "data" bottom: "label"'
        ' infogain_loss_param { source: "/nowhere" } }\n'
        'layer { name: "p" type: "Python" bottom: "data" top: "p"'
        ' python_param { module: "none" } }\n'
        'layer { name: "d" type: "Data" top: "d" data_param { source: "/nowhere" } }\n'
        'nme: "x"\n'
    )
    assert told(text) == ["4 nme no field 'nme' in NetParameter"]


def test_older_dialects() -> None:
    v1 = (
        'layers { name: "a" type: INNER_PRODUCT bottom: "data" top: "a"'
        " inner_product_param { num_outptu: 3 } }\n"
        'layers { name: "b" type: CONVOLUTION bottom: "aa" top: "b"'
        " convolution_param { num_output: 3 } }\n"
    )
    assert told(v1) == [
        "1 num_outptu no field 'num_outptu' in InnerProductParameter",
        "2 \"aa\" unknown bottom blob 'aa'",
        "2 convolution_param convolution_param needs a kernel_size",
    ]
    v0 = (
        'layers { layer { name: "a" type: "relu" slop: 1 } bottom: "data" top: "a" }\n'
        'layers { layer { name: "b" type: "reluu" } bottom: "a" top: "b" }\n'
    )
    assert told(v0) == [
        "1 slop no field 'slop' in V0LayerParameter",
        "2 layers unknown layer type 'reluu' of the V0 dialect",
    ]
    assert [each.split()[:2] for each in told(v1.replace("INNER_PRODUCT", "INNER"))] == [
        *(["1", "INNER"], ["1", "num_outptu"], ["2", '"aa"'], ["2", "convolution_param"]),
    ]


def test_a_path_with_an_escape_that_nobody_meant() -> None:
    text = (
        'layer { name: "d" type: "Data" top: "d" data_param { source: "C:\\new" } }\n'
        'layer { name: "r" type: "ReLUU" bottom: "d" top: "r" }\n'
    )
    assert [each.split()[:2] for each in told(text)] == [["1", '"C:\\new"'], ["2", '"ReLUU"']]


def test_a_hundred_mistakes_of_fields_are_enough() -> None:
    text = "".join(f'layer {{ type: "Powr" x{n}: 1 }}\n' for n in range(101))
    with pytest.raises(NetworkError) as caught:
        read_prototxt(Source("net.prototxt", text))
    assert not any("Powr" in mistake.message for mistake in caught.value.mistakes)


def test_what_is_right_is_read() -> None:
    text = 'layer { name: "a" type: "ReLU" bottom: "data" top: "a" }'
    assert [each.type for each in read_prototxt(Source("n", text)).net.layer] == ["ReLU"]


def test_what_is_no_net_is_told_alone() -> None:
    for text in ("", "base_lr: 1", "return function(p) end", "layer {" * 101):
        with pytest.raises(NetworkError) as caught:
            read_prototxt(Source("net.prototxt", text))
        assert len(caught.value.mistakes) == 1
