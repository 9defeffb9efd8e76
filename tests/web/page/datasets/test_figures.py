"""What is told below a picture."""

from __future__ import annotations

from protonet.web.datasets.samples import Box, Sample
from protonet.web.page.datasets.figures import told


def test_labels_in_words() -> None:
    box = Box(1, "car", (0.0, 0.0, 1.0, 1.0))
    assert told(Sample("k", b"", boxes=(box, box), classes=("car",))) == "2 boxes: car"
    assert told(Sample("k", b"", boxes=(box,), classes=("car",))) == "1 box: car"
    assert told(Sample("k", b"", classes=("sky", "road"))) == "sky, road"
    assert told(Sample("k", b"", label=(3.0,), class_name="cat")) == "cat"
    assert told(Sample("k", b"", label=(0.1234567, -2.0))) == "0.123, -2"
    assert told(Sample("k", b"")) == ""
