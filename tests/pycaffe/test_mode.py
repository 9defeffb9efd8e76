"""Settings of the process."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

import protonet.pycaffe as caffe
from protonet.errors import DeviceError
from protonet.pycaffe import mode


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    yield
    caffe.set_mode_cpu()
    caffe.set_device(0)
    caffe.set_random_seed(0)


def test_the_seed_decides_the_fillers(net_of: Callable[..., caffe.Net]) -> None:
    caffe.set_random_seed(5)
    one, same = (net_of().params["fc"][0].data for _ in range(2))
    caffe.set_random_seed(6)
    other = net_of().params["fc"][0].data
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


def test_the_gpu_is_asked_for_by_its_number() -> None:
    assert mode.device().is_cpu
    caffe.set_device(99)
    assert mode.device().is_cpu
    caffe.set_mode_gpu()
    with pytest.raises(DeviceError, match="cuda:99"):
        mode.device()
    caffe.set_mode_cpu()
    assert mode.device().is_cpu


def test_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    caffe.init_log()
    caffe.log("hello")
    assert capsys.readouterr().err == "hello\n"


def test_the_names_of_caffe_are_there() -> None:
    assert (caffe.TRAIN, caffe.TEST) == (0, 1)
    standard = {"Data", "Convolution", "InnerProduct", "Python"}
    assert standard <= set(caffe.layer_type_list())
    assert caffe.__version__ == "1.0.0"
    assert caffe.proto.caffe_pb2.NetParameter
    assert all(hasattr(caffe, name) for name in caffe.__all__)
