"""How the data layers of a training transform their images."""

from __future__ import annotations

from protonet.jobs.definitions.images import ImageOptions
from protonet.jobs.definitions.network import Databases, make_train_val
from protonet.proto.caffe_pb2 import TransformationParameter
from tests.jobs.nets import SEED, net_of

OWN = """
layer { name: "data" type: "Data" top: "data" top: "label"
  transform_param { crop_size: 13 mirror: true mean_value: 3 } }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip"
  inner_product_param { num_output: 2 } }
"""


def transforms(text: str, images: ImageOptions) -> list[TransformationParameter]:
    """Those of the images' layers of training and validation."""
    made = make_train_val(net_of(text), Databases("/t"), Databases("/v"), images=images)
    layers = [layer for layer in made.net.layer if layer.type == "Data"]
    return [layer.transform_param for layer in layers if "data" in layer.top]


def test_a_crop_is_of_both_phases_and_mirroring_of_training() -> None:
    train, val = transforms(SEED, ImageOptions(crop=7, mirror=True))
    assert (train.crop_size, train.mirror, val.crop_size, val.mirror) == (7, True, 7, False)


def test_nothing_given_leaves_what_the_text_says() -> None:
    train, val = transforms(OWN, ImageOptions(mean_values=(1, 2)))
    assert (train.crop_size, train.mirror, list(train.mean_value)) == (13, True, [3])
    assert (val.crop_size, val.mirror) == (13, True)


def test_what_is_given_replaces_it() -> None:
    options = ImageOptions(mean_values=(1, 2), replace_mean=True, crop=0, mirror=False)
    for each in transforms(OWN, options):
        assert (each.HasField("crop_size"), each.HasField("mirror")) == (False, False)
        assert list(each.mean_value) == [1, 2]
    (train, _) = transforms(OWN, ImageOptions(mean_file="m", replace_mean=True, mirror=True))
    assert (train.mean_file, list(train.mean_value), train.mirror) == ("m", [], True)
