"""Settings of the Python layers that are known here, and when they answer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from protonet.errors import LayerError, NetworkError
from protonet.layers.base import LayerContext
from protonet.layers.builtin_python import BUILTIN, builtin_class, parse_settings
from protonet.layers.python_layer import Python
from protonet.testing import LayerHarness
from tests.graph.nets import plan_of


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ("", {}),
        ("'feat_stride': 16", {"feat_stride": 16}),
        ("'feat_stride': 16 \n'scales': [4, 8]", {"feat_stride": 16, "scales": [4, 8]}),
        (
            "'feat_stride': 16 \n'scales': !!python/tuple [8, 16]",
            {"feat_stride": 16, "scales": [8, 16]},
        ),
        ("'a': 1,\n 'b': (1, 2),\n", {"a": 1, "b": (1, 2)}),
        ("{'feat_stride': 16}", {"feat_stride": 16}),
        ('{"feat_stride": 16, "flag": true}', {"feat_stride": 16, "flag": True}),
    ],
)
def test_settings_are_read(text: str, settings: dict[str, object]) -> None:
    assert parse_settings(text) == settings


@pytest.mark.parametrize(
    "text", ["16", "feat_stride: 16", "[1]", "{1: 2}", "'a': f()", "{", "'a':" * 999]
)
def test_what_is_no_settings_is_refused(text: str) -> None:
    with pytest.raises(LayerError, match="expected settings in param_str") as caught:
        parse_settings(text)
    assert caught.value.path == ("python_param", "param_str")


def proposals(param_str: str = "'feat_stride': 4", module: str = "rpn.proposal_layer") -> str:
    return f"""
    layer {{ name: "in" type: "Input" top: "s" top: "o" top: "i" input_param {{
      shape {{ dim: 1 dim: 18 dim: 3 dim: 4 }} shape {{ dim: 1 dim: 36 dim: 3 dim: 4 }}
      shape {{ dim: 1 dim: 3 }} }} }}
    layer {{ name: "p" type: "Python" bottom: "s" bottom: "o" bottom: "i" top: "rois"
      python_param {{ module: "{module}" layer: "ProposalLayer" param_str: "{param_str}" }} }}
    """


@pytest.mark.parametrize(("module", "name"), sorted(BUILTIN))
def test_every_class_is_known_by_the_module_that_texts_name(module: str, name: str) -> None:
    found = builtin_class(module, name)
    assert found is not None
    assert found.__name__ == (name if name != "mAP" else "MAP")
    assert builtin_class(module, "Other") is None


def user_of(text: str, **context: object) -> object:
    layer = plan_of(text, context=LayerContext(**context)).steps[-1].layer
    assert isinstance(layer, Python)
    return layer.user


def test_ours_answers_where_there_is_no_such_module() -> None:
    assert type(user_of(proposals())) is builtin_class("rpn.proposal_layer", "ProposalLayer")


def test_ours_needs_no_leave_to_run_code() -> None:
    assert type(user_of(proposals(), python_layers=False)).__module__ == "protonet.layers.rcnn"
    with pytest.raises(NetworkError, match="Python layers run code, which is not allowed here"):
        plan_of(proposals(module="mine"), context=LayerContext(python_layers=False))


def module_in(folder: Path, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package ``rpn`` of the user's."""
    import sys

    (folder / "rpn").mkdir()
    (folder / "rpn" / "__init__.py").touch()
    (folder / "rpn" / "proposal_layer.py").write_text(code)
    monkeypatch.chdir(folder)
    for name in ("rpn", "rpn.proposal_layer"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr(sys, "modules", dict(sys.modules))


def test_the_user_s_own_module_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module_in(
        tmp_path,
        "import protonet.pycaffe as caffe\n"
        "class ProposalLayer(caffe.Layer):\n"
        "    def reshape(self, bottom, top):\n        top[0].reshape(2, 5)\n",
        monkeypatch,
    )
    assert type(user_of(proposals())).__module__ == "rpn.proposal_layer"


def test_a_module_of_the_user_s_that_breaks_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module_in(tmp_path, "import no_such_thing\n", monkeypatch)
    with pytest.raises(NetworkError, match="No module named 'no_such_thing'"):
        plan_of(proposals())


@pytest.mark.parametrize(
    ("param_str", "message"),
    [
        (
            "'feat_strid': 16",
            r"ProposalLayer has no setting 'feat_strid'; did you mean 'feat_stride'",
        ),
        ("'feat_stride': 0", "expects a number of 1 or more as 'feat_stride' of param_str, got 0"),
        ("'feat_stride': 'a'", "expects a number of 1 or more as 'feat_stride'"),
        ("'scales': []", r"expects a list of numbers as 'scales' of param_str, got \[\]"),
        ("'scales': [0]", r"expects numbers above 0 as 'scales' of param_str, got \[0\]"),
        ("'nms_thresh': -1", "expects a number of 0 or more as 'nms_thresh'"),
        ("'scales': [8]", "expects N x 6 x H x W, of 3 anchors, as bottom 0, got 1x18x3x4"),
    ],
)
def test_settings_that_cannot_be_are_refused(param_str: str, message: str) -> None:
    with pytest.raises(NetworkError, match=message):
        plan_of(proposals(param_str))


def test_bottoms_and_tops_are_counted() -> None:
    text = 'type: "Python" python_param { module: "rpn.proposal_layer" layer: "ProposalLayer" }'
    with pytest.raises(LayerError, match=r"ProposalLayer expects 3 bottom blob\(s\), got 2"):
        LayerHarness(text + ' top: "r"', [np.zeros((1, 18, 2, 2)), np.zeros((1, 36, 2, 2))])
