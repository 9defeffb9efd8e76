"""Make the data of the character LSTM: python text_to_hdf5.py TEXT [FOLDER]."""

from __future__ import annotations

import sys
from pathlib import Path

import h5py
import numpy as np

STREAMS = 16
"""N: the pieces of the text that are read side by side."""


def write_streams(text: bytes, path: Path) -> None:
    """Cut ``text`` into N pieces of one length and write them as datasets of T x N.

    ``data`` are bytes, ``label`` those that follow them, ``cont`` 0 at the first byte of a piece.
    Beside ``path`` a list is written, which is what an HDF5Data layer reads.
    """
    steps = (len(text) - 1) // STREAMS
    if steps < 1:
        raise SystemExit(f"{path.stem}: {len(text)} bytes are too few for {STREAMS} pieces")
    values = np.frombuffer(text, np.uint8)
    count = steps * STREAMS
    data, label = (
        part.reshape(STREAMS, steps).T for part in (values[:count], values[1 : count + 1])
    )
    cont = np.ones((steps, STREAMS), np.float32)
    cont[0] = 0
    with h5py.File(path, "w") as file:
        for name, array in (("data", data), ("cont", cont), ("label", label)):
            file.create_dataset(name, data=array.astype(np.float32))
    path.with_suffix(".txt").write_text(f"{path.name}\n")


def main(text: Path, folder: Path) -> None:
    """Keep the last tenth of the text for validation."""
    content = text.read_bytes()
    end = len(content) * 9 // 10
    write_streams(content[:end], folder / "train.h5")
    write_streams(content[end:], folder / "val.h5")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2] if len(sys.argv) > 2 else "."))
