"""The versions of classes of nn, which files tell with each object."""

from __future__ import annotations

VERSIONS = {
    "BatchNormalization": 2,
    "SpatialBatchNormalization": 2,
    "VolumetricBatchNormalization": 2,
    "GradientReversal": 2,
    "LookupTable": 4,
    "VolumetricMaxPooling": 2,
}
"""The ``__version`` of classes of nn, which files tell; that of others is 1."""
