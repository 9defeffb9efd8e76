"""WindowData: what batches are made of, resuming, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from protonet.data.datum import encode_image
from protonet.errors import DataError, LayerError
from protonet.formats.blobs import from_array
from protonet.testing import LayerHarness

IMAGES = np.random.default_rng(0).integers(0, 256, (2, 3, 10, 12), np.uint8)
WINDOWS = """# 0
0.png
3 10 12
3
4 0.75 1 2 5 8
5 0.6 2 2 9 9
4 0.25 0 0 3 3
# 1
1.png
3 10 12
2
2 1 0 0 11 9
3 0.1 4 4 7 7
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for index, image in enumerate(IMAGES):
        (tmp_path / f"{index}.png").write_bytes(encode_image(image))
    (tmp_path / "w.txt").write_text(WINDOWS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


GIVEN = 'source: "w.txt" batch_size: 8'


def run(fields: str = "", transform: str = "crop_size: 4", given: bool = True) -> LayerHarness:
    return LayerHarness(
        f'type: "WindowData" top: "x" top: "y" window_data_param {{ {GIVEN if given else ""} '
        f"{fields} }} transform_param {{ {transform} }}",
        [],
    )


def test_background_comes_first_and_objects_keep_their_class() -> None:
    harness = run()
    seen = set()
    for _ in range(20):
        x, y = harness.forward()
        assert x.shape == (8, 3, 4, 4)
        assert not y[:6].any()
        seen.update(y[6:].tolist())
    assert seen == {2, 4, 5}


def test_the_share_of_objects() -> None:
    _, y = run("fg_fraction: 0.5 fg_threshold: 0.7 bg_threshold: 0.2").forward()
    assert (y > 0).tolist() == [False] * 4 + [True] * 4
    assert set(y[4:].tolist()) <= {2, 4}


def test_mean_and_scale() -> None:
    plain = run("fg_fraction: 1").forward()[0]
    values = "crop_size: 4 scale: 0.5 mean_value: 1 mean_value: 2 mean_value: 3"
    found = run("fg_fraction: 1", values).forward()[0]
    expected = (plain - np.array([1, 2, 3])[:, None, None]) / 2
    np.testing.assert_allclose(found, expected)


def test_the_middle_of_a_mean_image(folder: Path) -> None:
    mean = np.arange(3 * 6 * 6, dtype=np.float32).reshape(1, 3, 6, 6)
    (folder / "mean").write_bytes(from_array(mean).SerializeToString())
    plain = run("fg_fraction: 1").forward()[0]
    found = run("fg_fraction: 1", 'crop_size: 4 mean_file: "mean"').forward()[0]
    np.testing.assert_allclose(found, plain - mean[0, :, 1:5, 1:5])


def test_outside_of_the_image_there_are_zeros() -> None:
    transform = "crop_size: 8 mean_value: 99"
    x, _ = run("fg_fraction: 1 fg_threshold: 0.9 context_pad: 2", transform).forward()
    assert not x[:, :, 0].any()
    assert x[:, :, 3:5, 3:5].all()


def test_draws_resume() -> None:
    fields = 'crop_mode: "square" cache_images: true'
    harness = run(fields, "crop_size: 4 mirror: true")
    harness.forward()
    state = harness.layer.state()
    expected = harness.forward()
    again = run(fields, "crop_size: 4 mirror: true")
    again.layer.restore(state)
    for found, before in zip(again.forward(), expected, strict=True):
        np.testing.assert_array_equal(found, before)


@pytest.mark.parametrize(
    ("fields", "transform", "message"),
    [
        ("", "", "transform_param needs a crop_size"),
        ('crop_mode: "round"', "crop_size: 4", "expected crop_mode warp or square, got 'round'"),
        ("fg_fraction: 1.5", "crop_size: 4", "expected 0 <= fg_fraction <= 1, got 1.5"),
        ("context_pad: 2", "crop_size: 4", "context_pad 2 on both sides leaves nothing"),
        (
            "",
            "crop_size: 4 mean_value: 1 mean_value: 2",
            r"expected 1 mean_value or one for each of 3 channel\(s\), got 2",
        ),
        ("", 'crop_size: 4 mean_value: 1 mean_file: "m"', "mean_file and mean_value are both"),
    ],
)
def test_mistakes(fields: str, transform: str, message: str) -> None:
    with pytest.raises(LayerError, match=message):
        run(fields, transform)


def test_what_is_missing() -> None:
    for fields, message in (
        ("", "window_data_param needs a source, a window file"),
        ('source: "w.txt"', "window_data_param needs a batch_size of 1 or more"),
    ):
        with pytest.raises(LayerError, match=message):
            run(fields, given=False)


def test_data_that_cannot_be(folder: Path) -> None:
    with pytest.raises(DataError, match="has no object window, but 2 are wanted"):
        run("fg_threshold: 2")
    with pytest.raises(DataError, match="has no background window, but 6 are wanted"):
        run("bg_threshold: 0")
    (folder / "mean").write_bytes(from_array(np.ones((1, 3, 3, 3))).SerializeToString())
    with pytest.raises(DataError, match="expected a mean of 3 channels and 4x4 or more, got 3x3x3"):
        run("", 'crop_size: 4 mean_file: "mean"')
    (folder / "w.txt").write_text(WINDOWS.replace("5 0.6", "0 0.6"))
    with pytest.raises(DataError, match=r"a window with overlap 0\.6 has class 0"):
        run()
