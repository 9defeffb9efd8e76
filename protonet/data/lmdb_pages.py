"""Validates the pages of a data.mdb before LMDB maps them.

LMDB trusts what it maps: a damaged page ends the process by a failed assertion, and one beyond
the end of the file by SIGBUS, so that no exception is raised. The size alone says little, since a
healthy file may be shorter than its header says (freed pages are never written). So the B+ tree is
walked, but not the values, which are on overflow pages.

The layout is that of LMDB 0.9 (mdb.c: MDB_page, MDB_meta, MDB_node) on 64-bit little-endian
machines. Offsets are bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from protonet.errors import DataError

_MAGIC = 0xBEEFC0DE
_NEW_HEADER = 24
"""Bytes of a page before its content in LMDB 1.0, whose files have another format."""
_HEADER = 16
_META = struct.Struct("<16xI20xI48xHH24xQQ8xQ")
"""The part of a meta page that matters: the fields of ``_Meta``."""

_BRANCH, _LEAF = 0x01, 0x02
_ELSEWHERE = 0x01
"""Flag of a leaf's node whose value lies on overflow pages."""
_EMPTY = 2**64 - 1
"""The root of an empty tree."""
_DEPTH_LIMIT = 32
"""Levels for which LMDB's cursors have room."""


class _DamageError(Exception):
    """A page is damaged."""


class _OtherFormatError(Exception):
    """The file is of LMDB 1.0."""


class _Meta(NamedTuple):
    """What a meta page says about the tree of records."""

    magic: int
    page_size: int
    flags: int
    depth: int
    entries: int
    root: int
    transaction: int


def check_pages(file: Path, name: str) -> None:
    """Raise DataError, naming the database ``name``, unless LMDB can read ``file`` safely.

    Takes about half a second for a million records.
    """
    try:
        size = file.stat().st_size
        if size < _META.size:
            raise _DamageError(f"it has only {size} bytes")
        pages = np.memmap(file, np.uint8, "r").view(np.ndarray)
        _walk(pages, _newest(pages))
    except _OtherFormatError:
        raise DataError(
            f"{name}: data.mdb is in the format of LMDB 1.0, which Caffe cannot read, nor this "
            "project: make it again with LMDB 0.9 (py-lmdb writes that unless "
            "LMDB_DEFAULT_LIB_VERSION says otherwise), or copy it with mdb_dump and mdb_load"
        ) from None
    except _DamageError as damage:
        raise DataError(
            f"{name}: data.mdb is damaged, cut short, or not an LMDB: {damage}"
        ) from None
    except OSError as error:
        raise DataError(f"{name}: cannot be read: {error.strerror}") from error


def _newest(content: np.ndarray) -> _Meta:
    """The meta page of the last transaction: there are two, written by turns."""
    first = _Meta(*_META.unpack_from(content.data))
    if _is_new(content):
        raise _OtherFormatError
    if first.magic != _MAGIC:
        raise _DamageError("it does not start like an LMDB")
    if first.page_size not in (512 << i for i in range(8)):
        raise _DamageError(f"its header says pages of {first.page_size} bytes")
    if first.page_size + _META.size > len(content):
        raise _DamageError(f"it has only {len(content)} bytes")
    second = _Meta(*_META.unpack_from(content.data, first.page_size))
    if (second.magic, second.page_size) != (_MAGIC, first.page_size):
        raise _DamageError("its second header is not one of an LMDB")
    newest = max(first, second, key=lambda meta: meta.transaction)
    if newest.flags:
        raise _DamageError("its keys are ordered or repeated in a way that Caffe's are not")
    return newest


def _is_new(content: np.ndarray) -> bool:
    """Whether it begins as a file of LMDB 1.0 does."""
    magic, version = struct.unpack_from("<II", content.data, _NEW_HEADER)
    return bool(magic == _MAGIC and version > 1)


def _walk(pages: np.ndarray, tree: _Meta) -> None:
    """Read every branch and leaf once, level by level."""
    size = tree.page_size
    total = len(pages) // size
    if tree.root == _EMPTY:
        return
    if not 1 <= tree.depth <= _DEPTH_LIMIT:
        raise _DamageError(f"its header says a tree of {tree.depth} levels")
    level, seen, entries = [tree.root], 0, 0
    for depth in range(tree.depth):
        is_leaf = depth == tree.depth - 1
        below: list[int] = []
        for number in level:
            if not 2 <= number < total:
                raise _DamageError(f"it has {total} pages, but page {number} is needed")
            page = pages[number * size : (number + 1) * size]
            nodes = _nodes(page, number, _LEAF if is_leaf else _BRANCH)
            if is_leaf:
                entries += len(nodes)
                _check_leaf(page, nodes, number, total)
            else:
                below.extend(_children(page, nodes))
        seen += len(level)
        if seen + len(below) > total:
            raise _DamageError(f"it has {total} pages, but its tree needs more")
        level = below
    if entries != tree.entries:
        raise _DamageError(f"its header says {tree.entries} records, but it has {entries}")


def _nodes(page: np.ndarray, number: int, kind: int) -> np.ndarray:
    """Where the nodes of a page of this kind begin."""
    (own,) = page[:8].view("<u8").tolist()
    _, flags, lower, upper = page[8:_HEADER].view("<u2").tolist()
    least = 1 if kind == _LEAF else 2
    count = (lower - _HEADER) // 2
    if own != number or flags != kind or not _HEADER <= lower <= upper <= len(page):
        raise _DamageError(f"page {number} is damaged")
    starts = page[_HEADER:lower].view("<u2").astype(np.int64)
    if count < least or starts.min() < upper or starts.max() > len(page) - 8 or np.any(starts % 2):
        raise _DamageError(f"page {number} is damaged")
    return starts


def _children(page: np.ndarray, starts: np.ndarray) -> Iterator[int]:
    """The pages that the nodes of a branch point at."""
    words = page.view("<u2").astype(np.int64)
    at = starts // 2
    yield from (words[at] | words[at + 1] << 16 | words[at + 2] << 32).tolist()


def _check_leaf(page: np.ndarray, starts: np.ndarray, number: int, total: int) -> None:
    """Keys and values lie within the page, values elsewhere within the file."""
    words = page.view("<u2").astype(np.int64)
    at = starts // 2
    sizes, flags, key_sizes = words[at] | words[at + 1] << 16, words[at + 2], words[at + 3]
    elsewhere = flags == _ELSEWHERE
    values = starts + 8 + key_sizes
    ends = values + np.where(elsewhere, 8, sizes)
    if np.any(flags & ~_ELSEWHERE) or ends.max() > len(page):
        raise _DamageError(f"page {number} is damaged")
    if not elsewhere.any():
        return
    where = values[elsewhere]
    first = page[where[:, None] + np.arange(8)].view("<u8")[:, 0]
    count = (_HEADER - 1 + sizes[elsewhere]) // len(page) + 1
    # Compared as unsigned numbers first: a damaged one may not fit a signed one.
    if (
        np.any(first >= total)
        or np.any(first < 2)
        or np.any(first.astype(np.int64) + count > total)
    ):
        raise _DamageError(f"it has {total} pages, but values of page {number} lie beyond")
