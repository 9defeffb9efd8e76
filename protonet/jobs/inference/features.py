"""Feature extraction: the values of a net's blobs over its data, as databases."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from protonet.blob import Shape
from protonet.data.create import Progress
from protonet.data.datum import make_datum
from protonet.data.writer import DatabaseWriter
from protonet.graph.capture import ForwardPass
from protonet.graph.net import Net


def extract_features(
    net: Net,
    databases: Mapping[str, Path],
    batches: int,
    progress: Progress | None = None,
    *,
    backend: str = "lmdb",
) -> int:
    """Store the items of blobs, by name, in new databases ("lmdb" or "leveldb"); returns the
    number of items.

    Keys are the item numbers with ten digits, as in Caffe's extract_features. A blob N x K is
    stored as K x 1 x 1, one of more axes as K x H x W.

    Raises:
        UsageError: when a database exists.
        DataError: when one cannot be written. Incomplete databases are removed.
    """
    count = 0
    with ExitStack() as stack:
        writers = {
            name: stack.enter_context(DatabaseWriter(path, backend=backend))
            for name, path in databases.items()
        }
        forward_pass = ForwardPass(net)
        for batch in range(batches):
            forward_pass.run()
            items = 0
            for name, writer in writers.items():
                values = np.asarray(net.device.get(net.blobs[name].data), np.float32)
                items = len(values)
                planes = values.reshape(items, *_planes(values.shape[1:]))
                for place, item in enumerate(planes):
                    writer.put(f"{count + place:010d}".encode(), make_datum(item))
            count += items
            if progress is not None:
                progress(batch + 1, batches)
    return count


def _planes(shape: Shape) -> Shape:
    """An item as three axes: channels, then the others flattened into two."""
    padded = (*shape, 1, 1, 1)
    return (padded[0], padded[1], int(np.prod(padded[2:])))
