"""What two forks of Caffe computed, and where this project differs from them on purpose."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from protonet.device import Device
from protonet.formats.caffemodel import read_weights
from protonet.graph.net import Net
from protonet.graph.planning import plan_net
from protonet.proto.caffe_pb2 import TEST, TRAIN
from protonet.proto.text import Source, read_net
from tests.graph.test_golden import check, close

FORKS = Path(__file__).parents[1] / "golden_forks"
QUIRKS = FORKS / "quirks"

APART = {"missing", "quirks", "solvers"}
"""Folders that other tests read: these below, and tests/train/test_trainer.py."""

STILL_MISSING = {"AnnotatedData", "Data", "DetectNetTransformation"}
"""Of ``missing``: these layers are not there yet."""


def cases() -> list[str]:
    found = [path.parent for path in FORKS.glob("*/*/data.npz")]
    found = [path for path in found if path.parts[-2] not in APART]
    found += [path.parent for path in FORKS.glob("missing/*/*/data.npz")]
    return sorted(
        str(path.relative_to(FORKS)) for path in found if path.parts[-2] not in STILL_MISSING
    )


@pytest.mark.parametrize("fuse", [False, True], ids=["alone", "fused"])
@pytest.mark.parametrize("case", cases())
def test_nets_compute_what_the_forks_computed(case: str, fuse: bool) -> None:
    check(FORKS / case, fuse=fuse)


@pytest.mark.parametrize("case", cases())
def test_packed_nets_compute_the_same(case: str) -> None:
    check(FORKS / case, packed=True, fuse=True)


def net_of(folder: Path, phase: int = TEST, name: str = "net.prototxt", **options: Any) -> Net:
    definition = read_net(Source.read(folder / name))
    return Net(plan_net(definition, phase=phase), Device(), **options)


def passes(folder: Path) -> tuple[Any, Net]:
    """The recorded arrays of a case, and our net after the same passes."""
    data = np.load(folder / "data.npz")
    net = net_of(folder, TRAIN if str(data["phase"]) == "TRAIN" else TEST, gradients=True)
    for i, param in enumerate(net.params.get("l", [])):
        param.data[...] = data[f"param/{i}"]
    steps = int(data["steps"])
    for suffix in [f"@{step}" for step in range(steps)] if steps > 1 else [""]:
        keys = [key for key in data.files if key.endswith(suffix)]
        for key in (key for key in keys if key.startswith("bottom/")):
            name = key.removeprefix("bottom/").removesuffix(suffix)
            net.blobs[f"in_{name}" if f"in_{name}" in net.blobs else name].data[...] = data[key]
        net.forward()
        for key in (key for key in keys if key.startswith("top_diff/")):
            diff = net.blobs[key.removeprefix("top_diff/").removesuffix(suffix)].diff
            assert diff is not None
            diff[...] = data[key]
        net.store.diff.fill(0)
        net.backward()
    return data, net


@pytest.mark.parametrize(
    "case", [case for case in cases() if case.startswith(("PriorBox/", "Chain/"))]
)
def test_priors_are_the_forks_to_the_last_bit(case: str) -> None:
    """What ties there must tie here."""
    data, net = passes(FORKS / case)
    top = "prior" if case.startswith("Chain") else "y"
    assert np.float32(net.blobs[top].data).tobytes() == data[f"top/{top}"].tobytes()


def test_batch_norm_weights_of_an_older_fork_load() -> None:
    folder = FORKS / "missing" / "weights" / "nv15_batchnorm"
    expected = np.load(folder / "expected.npz")
    net = net_of(folder, name="deploy.prototxt")
    net.load(read_weights(folder / "w.caffemodel"), "w.caffemodel")
    net.blobs["data"].data[...] = expected["x"]
    net.forward()
    for name in ("bn", "ip"):
        close(net.blobs[name].data, expected[name], name)


# Oddities of the forks. Layer pages tell of each: what differs there is held to here, with the
# measured numbers explained, so that the page is known to tell the truth.


def diff_of(net: Net, name: str) -> np.ndarray:
    found = net.blobs[name].diff
    assert found is not None
    return np.array(found)


@pytest.mark.parametrize(
    "case", ["across_false_shared_false", "across_true_shared_false", "small_values"]
)
def test_normalize_with_a_scale_for_each_channel_has_its_true_gradient(case: str) -> None:
    """The fork's leaves the scales out of the sum over channels; tops and ds agree."""
    data, net = passes(QUIRKS / f"Normalize/{case}")
    close(net.blobs["y"].data, data["top/y"], "y")
    close(net.params["l"][0].diff, data["param_diff/0"], "ds")
    x, dy = data["bottom/x"].astype(np.float64), data["top_diff/y"]
    scale = data["param/0"][:, None, None]
    axes = (1, 2, 3) if case == "across_true_shared_false" else (1,)
    norm = np.sqrt((x * x).sum(axis=axes, keepdims=True) + 1e-10)
    theirs = scale * (dy - x * (x * dy).sum(axis=axes, keepdims=True) / norm**2) / norm
    ours = (scale * dy - x * (x * scale * dy).sum(axis=axes, keepdims=True) / norm**2) / norm
    close(theirs, data["bottom_diff/x"], "the fork's dx")
    close(diff_of(net, "x"), ours, "dx")


def normalized(x: np.ndarray, eps: float) -> np.ndarray:
    axes = (0, 2, 3)
    mean, var = x.mean(axis=axes, keepdims=True), x.var(axis=axes, keepdims=True)
    return np.asarray((x - mean) / np.sqrt(var + eps))


@pytest.mark.parametrize("case", ["nv_eps_floor", "nv_global_stats_in_train"])
def test_batch_norm_takes_eps_and_statistics_from_the_text(case: str) -> None:
    """NVIDIA's takes 1e-5 for any smaller eps, and the batch for the statistics in TRAIN."""
    data, net = passes(QUIRKS / f"BatchNorm/{case}")
    x = data["bottom/x"].astype(np.float64)
    means, variances, _, scale, bias = (data[f"param/{i}"] for i in range(5))
    scale, bias = scale[:, None, None], bias[:, None, None]
    close(scale * normalized(x, 1e-5) + bias, data["top/y"], "the fork's y")
    ours = normalized(x, 1e-8)
    if case == "nv_global_stats_in_train":
        ours = (x - means[:, None, None]) / np.sqrt(variances[:, None, None] + 1e-5)
    close(net.blobs["y"].data, scale * ours + bias, "y")


def test_batch_norm_takes_only_the_first_batch_whole() -> None:
    """NVIDIA's takes the second whole too; its CPU keeps var + eps, without m / (m - 1)."""
    data, net = passes(QUIRKS / "BatchNorm/nv_train_average")
    theirs, ours = np.zeros((2, 2, 3))
    for step in range(4):
        x = data[f"bottom/x@{step}"].astype(np.float64)
        mean, var = x.mean(axis=(0, 2, 3)), x.var(axis=(0, 2, 3))
        mine, other = np.stack([mean, var * 80 / 79]), np.stack([mean, var + 1e-5])
        ours = mine if step < 1 else 0.8 * ours + 0.2 * mine
        theirs = other if step < 2 else 0.8 * theirs + 0.2 * other
    close(net.blobs["y"].data, data["top/y@3"], "y")
    close(theirs, np.stack([data["param_after/0"], data["param_after/1"]]), "the fork's averages")
    for param, expected in zip(net.params["l"], ours, strict=False):
        close(param.data, expected, "averages")


def test_multibox_loss_divides_by_the_variances_whose_loss_it_divides() -> None:
    """With encode_variance_in_target; the fork's gradient of loc is that without variances."""
    data, net = passes(QUIRKS / "MultiBoxLoss/variance_in_target")
    close(net.blobs["y"].data, data["top/y"], "y")
    close(diff_of(net, "conf"), data["bottom_diff/conf"], "dconf")
    variances = np.tile(data["bottom/prior"][0, 1], (3, 1))
    close(diff_of(net, "loc") * variances, data["bottom_diff/loc"], "dloc")


def test_multibox_loss_of_logistic_scores_wants_a_1_for_the_background() -> None:
    """The fork fills what each score should be with the number of the background label, 3 here:
    what is wanted of all but the label of a prior is 3, not 0.
    """
    data, net = passes(QUIRKS / "MultiBoxLoss/logistic_background_last")
    close(diff_of(net, "loc"), data["bottom_diff/loc"], "dloc")
    ours, theirs = diff_of(net, "conf"), data["bottom_diff/conf"]
    matches = np.count_nonzero(np.reshape(data["bottom_diff/loc"], (-1, 4)).any(axis=1))
    not_wanted = ours > 0
    close(ours - not_wanted * 3 / matches, theirs, "dconf")
    x = data["bottom/conf"][ours != 0].astype(np.float64)
    more = 3 * x[not_wanted[ours != 0]].sum() / matches
    close(net.blobs["y"].data - more, data["top/y"], "y")


def test_multibox_loss_of_logistic_scores_keeps_the_labels_of_each_image() -> None:
    """Without mining; the fork writes those of image i at the place of prior i P / C of the first:
    its steps through the wanted scores are P long, not P C.
    """
    data, net = passes(QUIRKS / "MultiBoxLoss/logistic_no_mining")
    close(diff_of(net, "loc"), data["bottom_diff/loc"], "dloc")
    images, priors, classes = 3, 48, 4
    x = data["bottom/conf"].reshape(images, priors, classes).astype(np.float64)
    p = 1 / (1 + np.exp(-x))
    matches = np.count_nonzero(np.reshape(data["bottom_diff/loc"], (-1, 4)).any(axis=1))
    wanted = np.round(p - diff_of(net, "conf").reshape(p.shape) * matches)
    theirs = np.zeros(p.size)
    for image in range(images):
        rows = wanted[image].ravel()
        begin = image * priors
        theirs[begin : begin + rows.size] = np.maximum(
            theirs[begin : begin + rows.size], rows[: theirs.size - begin]
        )
    difference = (p.ravel() - theirs) / matches
    close(difference, data["bottom_diff/conf"].ravel(), "the fork's dconf")
    assert wanted.sum(axis=(1, 2)).tolist() == [
        np.count_nonzero(np.reshape(data["bottom_diff/loc"][i], (-1, 4)).any(axis=1))
        for i in range(images)
    ]
