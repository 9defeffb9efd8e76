"""Images cut out, mirrored and freed of a mean: compiled beside the definition, to the bit."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.device import Device
from protonet.kernels.transform import NativeTransform, Transform
from tests.kernels.instructions import MODULES, use

SHAPE, CROP = (3, 83, 97), (71, 70)
GENERATOR = np.random.default_rng(5)
PIXELS = GENERATOR.integers(0, 256, SHAPE, np.uint8)
IMAGES = {
    "planes": PIXELS,
    "rows": np.ascontiguousarray(PIXELS.transpose(1, 0, 2)).transpose(1, 0, 2)[::-1],
    "pixels": np.ascontiguousarray(PIXELS.transpose(1, 2, 0)).transpose(2, 0, 1),
    "read-only": np.frombuffer(PIXELS.tobytes(), np.uint8).reshape(SHAPE),
    "floats": PIXELS.astype(np.float32) + np.float32(0.25),
    "doubles": PIXELS.astype(np.float64)[..., ::-1],
    "several": np.stack([PIXELS, PIXELS[::-1]]),
}
MEANS = {
    "none": None,
    "of the image": GENERATOR.normal(100, 30, SHAPE).astype(np.float32),
    "of the crop": GENERATOR.normal(100, 30, (3, *CROP)).astype(np.float32),
    "of channels": GENERATOR.normal(100, 30, (3, 1, 1)).astype(np.float32),
    "one": np.full((1, 1, 1), 99.5, np.float32),
}


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("mean", MEANS)
@pytest.mark.parametrize("image", IMAGES)
def test_every_instruction_set_meets_the_definition(
    image: str, mean: str, mirror: bool, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(module, monkeypatch)
    images = IMAGES[image]
    found = []
    for device in (Device(), Device(tuned=False)):
        kernel = Transform.make(device, np.float32)
        assert isinstance(kernel, NativeTransform) is device.tuned
        out = np.full((*images.shape[:-2], *CROP), np.nan, np.float32)
        kernel.apply(images, MEANS[mean], out, 5, 27, mirror, 0.0625)
        found.append(out)
    np.testing.assert_array_equal(found[0], found[1])
    last = images[..., 5:76, 27:97].astype(np.float64)
    off = 0 if MEANS[mean] is None else MEANS[mean]
    if mean == "of the image":
        off = off[:, 5:76, 27:97]
    if mirror:
        last = last[..., ::-1]
        off = off[..., ::-1] if mean == "of the image" else off
    np.testing.assert_allclose(found[0], (last - off) * 0.0625, rtol=1e-5, atol=1e-4)


def test_a_window_may_be_the_whole_image_or_nothing() -> None:
    kernel = Transform.make(Device(), np.float32)
    whole = np.empty(SHAPE, np.float32)
    kernel.apply(PIXELS, None, whole, 0, 0, True, 1)
    np.testing.assert_array_equal(whole, PIXELS[..., ::-1])
    kernel.apply(PIXELS, None, np.empty((3, 0, 0), np.float32), 0, 0, False, 1)


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize(("height", "width"), [(190, 211), (8, 4200)])
def test_large_windows_are_written_in_bands(
    height: int, width: int, mirror: bool, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(module, monkeypatch)
    image = GENERATOR.integers(0, 256, (3, height + 5, width + 7), np.uint8)
    mean = GENERATOR.normal(100, 30, image.shape).astype(np.float32)
    whole = np.full(3 * height * width + 3, np.nan, np.float32)
    out = whole[1:-2].reshape(3, height, width)  # not at the begin of a line of a cache
    Transform.make(Device(), np.float32).apply(image, mean, out, 3, 4, mirror, 1.0)
    expected = (image - mean)[:, 3 : height + 3, 4 : width + 4]
    np.testing.assert_array_equal(out, expected[..., ::-1] if mirror else expected)
    assert np.isnan(whole[[0, -2, -1]]).all()
