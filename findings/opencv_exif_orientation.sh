#!/usr/bin/env bash
# OpenCV 4.14.0 (opencv-python-headless 4.14.0.94) and Pillow 13.0.0, seen on Linux with CPython
# 3.11:
#
# A JPEG of 30 x 20 (width x height) whose EXIF orientation is 6 (turn by 90 degrees to see it
# upright) is 30 rows by 20 columns for cv2.imread() with its default flag, which turns it, and 20
# rows by 30 columns with IMREAD_UNCHANGED, with IMREAD_IGNORE_ORIENTATION, and for Pillow's
# Image.open(), which leave it as it is stored. Pillow turns it by ImageOps.exif_transpose() only.
#
# Each is documented. Together they mean that two readers that are both called "read an image" give
# one file two shapes: a mean, a database or a network's answer made with the one does not fit what
# the other reads. Caffe's convert_imageset reads by cv::imread with the default for colour.
#
# Fails when one of them behaves otherwise.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet opencv-python-headless==4.14.0.94 pillow==13.0.0
cd "$folder"
venv/bin/python - <<'PYTHON'
import cv2
import numpy as np
from PIL import Image, ImageOps

rows = np.zeros((20, 30, 3), np.uint8)
rows[:10] = 255
exif = Image.Exif()
exif[0x0112] = 6
Image.fromarray(rows).save("turned.jpg", exif=exif, quality=95)

with Image.open("turned.jpg") as image:
    stored, upright = np.asarray(image).shape, np.asarray(ImageOps.exif_transpose(image)).shape
seen = {
    "cv2.imread(file)": cv2.imread("turned.jpg").shape,
    "cv2.imread(file, IMREAD_GRAYSCALE)": cv2.imread("turned.jpg", cv2.IMREAD_GRAYSCALE).shape,
    "cv2.imread(file, IMREAD_UNCHANGED)": cv2.imread("turned.jpg", cv2.IMREAD_UNCHANGED).shape,
    "cv2.imread(file, IMREAD_COLOR | IMREAD_IGNORE_ORIENTATION)": cv2.imread(
        "turned.jpg", cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    ).shape,
    "Image.open(file)": stored,
    "ImageOps.exif_transpose(Image.open(file))": upright,
}
for name, shape in seen.items():
    print(f"{name}: {shape}")
turned, as_stored = (30, 20, 3), (20, 30, 3)
assert list(seen.values()) == [turned, (30, 20), as_stored, as_stored, as_stored, turned]
PYTHON
