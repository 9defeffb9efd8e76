"""Data layers made and filled in, deploy nets derived."""

from __future__ import annotations

import pytest

from protonet.errors import NetworkError
from protonet.jobs.definitions.images import ImageOptions
from protonet.jobs.definitions.network import (
    Databases,
    brings_mean,
    image_positions,
    lacks_outputs,
    make_deploy,
    make_train_val,
    only_validates,
    val_batch_size,
)
from protonet.proto.caffe_pb2 import TEST, TRAIN, DataParameter
from tests.jobs.nets import RANDOM, SEED, net_of

TRAIN_DBS, VAL_DBS = Databases("/t/images", "/t/labels"), Databases("/v/images", "/v/labels")


def data_layers(text: str, **options: object) -> list[tuple[str, str, int, str]]:
    made = make_train_val(net_of(text), TRAIN_DBS, VAL_DBS, **options)
    return [
        (
            layer.top[0],
            layer.data_param.source,
            layer.data_param.batch_size,
            layer.transform_param.mean_file,
        )
        for layer in made.net.layer
        if layer.type == "Data"
    ]


def test_a_network_without_data_layers_gets_them() -> None:
    assert data_layers(SEED, images=ImageOptions(mean_file="/m")) == [
        ("data", "/t/images", 16, "/m"),
        ("label", "/t/labels", 16, ""),
        ("data", "/v/images", 16, "/m"),
        ("label", "/v/labels", 16, ""),
    ]
    made = make_train_val(net_of(SEED), TRAIN_DBS, VAL_DBS)
    assert [layer.include[0].phase for layer in made.net.layer[:4]] == [TRAIN, TRAIN, TEST, TEST]
    assert all(layer.data_param.backend == DataParameter.LMDB for layer in made.net.layer[:4])
    assert made.origins[-3:] == (("layer", 0), ("layer", 1), ("layer", 2))


def test_a_first_layer_in_place_still_needs_its_data() -> None:
    text = SEED.replace('top: "scale"', 'top: "data"').replace('bottom: "scale"', 'bottom: "data"')
    assert [row[0] for row in data_layers(text)] == ["data", "label", "data", "label"]


def test_labels_of_the_records_are_a_second_top() -> None:
    made = make_train_val(net_of(SEED), Databases("/t/images"), None)
    (layer,) = (layer for layer in made.net.layer if layer.type == "Data")
    assert list(layer.top) == ["data", "label"]


def test_a_label_that_nobody_reads_is_not_made() -> None:
    text = SEED.split('layer { name: "loss"')[0]
    made = make_train_val(net_of(text), TRAIN_DBS, None)
    assert [layer.name for layer in made.net.layer] == ["data", "scale", "hidden"]


def test_data_layers_of_the_network_keep_what_they_say() -> None:
    assert data_layers(RANDOM, images=ImageOptions(mean_file="/m")) == [
        ("data", "/t/images", 4, "/m"),
        ("label", "/t/labels", 4, ""),
        ("data", "/v/images", 5, "/m"),
        ("label", "/v/labels", 5, ""),
    ]
    made = make_train_val(net_of(RANDOM), TRAIN_DBS, VAL_DBS)
    assert made.net.layer[0].transform_param.crop_size == 13
    assert made.net.layer[0].transform_param.mirror
    assert list(made.net.layer[0].include[0].stage) == ["train"]


def test_the_batch_size_of_the_form_wins() -> None:
    assert [each[2] for each in data_layers(RANDOM, batch_size=9)] == [9, 9, 9, 9]


def test_a_mean_of_the_network_stays_unless_it_is_replaced() -> None:
    text = RANDOM.replace("crop_size: 13 mirror: true", "mean_value: 3")
    assert data_layers(text, images=ImageOptions(mean_file="/m"))[0][3] == ""
    assert data_layers(text, images=ImageOptions(mean_file="/m", replace_mean=True))[0][3] == "/m"


def test_one_data_layer_for_both_phases_becomes_two() -> None:
    text = 'layer { name: "d" type: "Data" top: "data" top: "label" }' + SEED
    made = make_train_val(net_of(text), Databases("/t/i"), Databases("/v/i"))
    layers = [layer for layer in made.net.layer if layer.type == "Data"]
    assert [(each.data_param.source, each.include[0].phase) for each in layers] == [
        ("/t/i", TRAIN),
        ("/v/i", TEST),
    ]


def test_data_layers_that_cannot_be_filled_in_point_at_their_line() -> None:
    with pytest.raises(NetworkError, match=r'net\.prototxt:5:1: .*brings labels \("label"\)'):
        make_train_val(
            net_of('\n\n\n\nlayer { name: "l" type: "Data" top: "label" }' + SEED),
            Databases("/t"),
            None,
        )
    with pytest.raises(NetworkError, match=r"net\.prototxt:1:53: .*reads labels from the images"):
        make_train_val(
            net_of('layer { name: "d" type: "Data" top: "data"     top: "label" }' + SEED),
            TRAIN_DBS,
            None,
        )


ONLY_TRAINS = """
layer { name: "d" type: "Data" top: "data" include { stage: "train" }
  data_param { batch_size: 6 } transform_param { crop_size: 3 mirror: true } }
"""


def test_what_one_phase_lacks_is_made_as_the_other_has_it() -> None:
    made = make_train_val(net_of(ONLY_TRAINS + SEED), TRAIN_DBS, VAL_DBS)
    rows = [
        (layer.name, layer.data_param.source, layer.data_param.batch_size)
        for layer in made.net.layer
        if layer.type == "Data"
    ]
    assert rows == [
        ("d", "/t/images", 6),
        ("label", "/t/labels", 6),
        ("data", "/v/images", 6),
        ("label", "/v/labels", 6),
    ]
    crops = [layer.transform_param for layer in (made.net.layer[0], made.net.layer[2])]
    assert [(each.crop_size, each.mirror) for each in crops] == [(3, True), (3, False)]


def test_layers_of_other_names_are_images_then_labels() -> None:
    text = """
    layer { name: "a" type: "Data" top: "pictures" }
    layer { name: "b" type: "Data" top: "slopes" data_param { batch_size: 3 } }
    layer { name: "ip" type: "InnerProduct" bottom: "pictures" top: "ip" }
    """
    assert data_layers(text, images=ImageOptions(mean_file="/m"))[:2] == [
        ("pictures", "/t/images", 3, "/m"),
        ("slopes", "/t/labels", 3, ""),
    ]
    deploy = make_deploy(make_train_val(net_of(text), TRAIN_DBS, VAL_DBS), (1, 5, 7))
    assert list(deploy.definition.net.layer[0].top) == ["pictures"]


def test_what_the_network_makes_itself_is_not_made_again() -> None:
    text = 'layer { name: "d" type: "DummyData" top: "data" }' + SEED
    made = make_train_val(net_of(text), TRAIN_DBS, None)
    assert [layer.type for layer in made.net.layer][:2] == ["Data", "DummyData"]
    assert list(made.net.layer[0].top) == ["label"]


def test_which_data_layers_bring_images() -> None:
    def positions(*tops: str) -> list[int]:
        layers = [f'layer {{ name: "x" type: "Data" top: "{top}" }}' for top in tops]
        return image_positions(net_of("".join(layers)).net.layer)

    assert positions("label", "data", "slopes") == [1]
    assert positions("label", "pictures", "slopes") == [1]
    assert positions("label") == []
    pair = 'layer { name: "x" type: "Data" top: "pictures" top: "classes" }'
    assert image_positions(net_of(pair).net.layer) == [0]


def test_questions_about_a_network() -> None:
    net = net_of(RANDOM).net
    assert only_validates(net) == ["data", "label"]
    assert val_batch_size(net) == 5
    assert not brings_mean(net)
    assert brings_mean(net_of(RANDOM.replace("mirror: true", "mean_value: 3")).net)
    assert not brings_mean(net_of(RANDOM.replace("crop_size: 13 }", "mean_value: 3 }")).net)


def test_input_layers_give_way_to_data_layers() -> None:
    text = 'input: "data" input_dim: 1 input_dim: 1 input_dim: 2 input_dim: 2' + SEED
    made = make_train_val(net_of(text), TRAIN_DBS, None)
    assert [layer.type for layer in made.net.layer][:3] == ["Data", "Data", "Power"]


def test_open_outputs_become_the_number_of_classes() -> None:
    text = SEED.replace("num_output: 2", "")
    assert lacks_outputs(net_of(text).net)
    made = make_train_val(net_of(text), Databases("/t"), None, classes=7)
    assert made.net.layer[2].inner_product_param.num_output == 7
    assert not lacks_outputs(made.net)


def test_deploy_has_an_input_and_no_loss() -> None:
    made = make_train_val(net_of(SEED), TRAIN_DBS, VAL_DBS)
    deploy = make_deploy(made, (1, 5, 7))
    assert [layer.name for layer in deploy.definition.net.layer] == ["data", "scale", "hidden"]
    assert list(deploy.definition.net.layer[0].input_param.shape[0].dim) == [1, 1, 5, 7]
    assert deploy.pruned == ()


def test_deploy_leaves_out_what_needs_labels() -> None:
    text = SEED.replace('exclude { stage: "deploy" }', "")
    text += 'layer { name: "after" type: "Power" bottom: "loss" top: "after" }'
    deploy = make_deploy(make_train_val(net_of(text), TRAIN_DBS, None), (1, 5, 7))
    assert deploy.pruned == ("loss", "after")


def test_a_network_of_which_nothing_is_left() -> None:
    text = 'layer { name: "a" type: "Power" bottom: "label" top: "a" }'
    made = make_train_val(net_of(text), TRAIN_DBS, None)
    with pytest.raises(NetworkError, match="no layer of the network can be computed"):
        make_deploy(made, (1, 2, 3))
