"""Records taken apart, beside what the protobuf library makes of them."""

from __future__ import annotations

import numpy as np
import pytest
from google.protobuf.message import DecodeError

from protonet.data.datum import decode, make_datum
from protonet.data.wire import datum_bytes, is_annotated, parse_datum, without
from protonet.proto.caffe_pb2 import AnnotatedDatum, Datum

IMAGE = np.random.default_rng(0).integers(0, 256, (3, 80, 90), np.uint8)


def records() -> list[bytes]:
    floats = make_datum(np.linspace(0, 1, 20_000, dtype=np.float32).reshape(2, 100, 100))
    large, small = make_datum(IMAGE, label=-3), make_datum(IMAGE[:, :5, :5], label=7)
    return [
        large.SerializeToString(),
        small.SerializeToString(),
        make_datum(IMAGE, label=2, encoded=True).SerializeToString(),
        floats.SerializeToString(),
        (large.SerializeToString() + small.SerializeToString()),  # of each field the last
        large.SerializeToString() + b"\x9a\x06\x03abc" + b"\xa1\x06" + bytes(8),  # unknown fields
        Datum(label=5).SerializeToString(),
    ]


@pytest.mark.parametrize("place", range(7))
@pytest.mark.parametrize("kind", [bytes, memoryview])
def test_it_is_what_the_library_reads(place: int, kind: type) -> None:
    record = records()[place]
    expected = Datum.FromString(record)
    datum, data = parse_datum(kind(record))
    assert data == expected.data
    for field in ("channels", "height", "width", "label", "encoded", "float_data"):
        assert getattr(datum, field) == getattr(expected, field)
    if data or datum.float_data:
        np.testing.assert_array_equal(decode(datum, "x", data=data), decode(expected, "x"))


def test_damage_is_seen_as_the_library_sees_it() -> None:
    whole = records()[0]
    generator = np.random.default_rng(4)
    refused = 0
    for _ in range(300):
        record = bytearray(whole)
        record[generator.integers(0, 12)] = generator.integers(256)
        cut = bytes(record[: len(record) - int(generator.integers(0, 3))])
        try:
            expected: bytes | None = Datum.FromString(cut).data
        except DecodeError:
            expected = None
        try:
            found: bytes | None = parse_datum(cut)[1]
        except DecodeError:
            found = None
        assert found == expected
        refused += expected is None
    assert 20 < refused < 300


@pytest.mark.parametrize("place", range(7))
@pytest.mark.parametrize("kind", [bytes, memoryview])
def test_the_image_of_a_record_with_boxes(place: int, kind: type) -> None:
    record = AnnotatedDatum(datum=Datum.FromString(records()[place]), type=AnnotatedDatum.BBOX)
    record.annotation_group.add(group_label=3).annotation.add().bbox.xmax = 0.5
    text = record.SerializeToString()
    assert is_annotated(kind(text))
    datum, data = parse_datum(kind(text))
    assert data == record.datum.data
    assert (datum.channels, datum.label) == (record.datum.channels, record.datum.label)
    assert datum_bytes(kind(text)) == record.datum.SerializeToString()


def test_a_plain_record_is_itself() -> None:
    record = records()[1]
    assert not is_annotated(record)
    assert not is_annotated(b"")
    assert datum_bytes(record) is record


def test_a_record_with_boxes_that_is_cut_short() -> None:
    text = AnnotatedDatum(datum=make_datum(IMAGE)).SerializeToString()
    for length in (1, 2, 3, len(text) - 1):
        with pytest.raises(DecodeError, match="cut short"):
            parse_datum(text[:length])


def test_a_field_is_left_out() -> None:
    datum = Datum(channels=1, height=2, width=3, data=b"x" * 300, label=7, encoded=True)
    rest = without(memoryview(datum.SerializeToString()), 4)
    assert len(rest) < 20
    found = Datum.FromString(rest)
    assert (found.data, found.label, found.width, found.encoded) == (b"", 7, 3, True)
    twice = datum.SerializeToString() * 2
    assert Datum.FromString(without(twice, 4)).label == 7
    floats = Datum(float_data=[1.0, 2.0], label=3).SerializeToString()
    assert without(floats, 4) == floats
    cut = datum.SerializeToString()[:100]
    assert without(cut, 4) == cut
