"""Data: a database, batch after batch."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from protonet.blob import Shape
from protonet.data.database import LEVELDB_HELP, Database, can_read_leveldb, is_leveldb
from protonet.data.datum import decode
from protonet.data.source import BatchSource, cached_bytes
from protonet.data.transform import Transformer
from protonet.errors import DataError, LayerError
from protonet.layers.batches import (
    FORKS,
    PLAIN,
    BatchLayer,
    cache_limit,
    mean_of,
    refuse_transform,
    shuffled,
    transformer_of,
)
from protonet.layers.registry import register
from protonet.layers.sharding import own_source, shard_of
from protonet.ranks.communicator import Part


@register("Data")
class Data(BatchLayer):
    """Batches of an LMDB or a LevelDB of Datum records, or the images of AnnotatedDatum records.

    Bottom:
        none.
    Top:
        0: N x C x H x W, the images after transform_param; H and W are crop_size (or crop_h and
        crop_w) where it is set, else those of resize_param.
        1 (optional): N, Datum.label as numbers.
    Params:
        none.
    Spec:
        data_param: source, batch_size, rand_skip; shuffle, cache and threads of NVIDIA's fork;
        {rank} or {host} in source is a shard for each rank or host;
        partial_batches: the last batch of an epoch has the records that are left.
        transform_param: scale, mirror, crop_size, mean_file, mean_value, force_color, force_gray;
        crop_h, crop_w, resize_param, noise_param, distort_param, expand_param of the SSD fork; the
        random sizes of NVIDIA's; draws_of: the layer whose random draws it repeats.
    Raises:
        LayerError: without source or batch_size, for a LevelDB without plyvel, for settings that
        do not fit the records, or for class numbers of records with boxes.
        DataError: for a database, record or mean that cannot be used.
    Differs:
        The kind of the database is detected from its files; backend is ignored. A LevelDB is
        read without changing it, and needs the extra leveldb. Every record must have the first
        one's shape, unless transform_param resizes. Random values are a function of the seed and
        the record's number in the stream, so runs are reproducible.
    """

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.database: Database | None = None

    def setup(self) -> None:
        param, transform = self.spec.data_param, self.spec.transform_param
        if not param.source:
            raise LayerError("data_param needs a source, the folder of a database", ("data_param",))
        if not param.batch_size:
            raise LayerError("data_param needs a batch_size of 1 or more", ("data_param",))
        refuse_transform(self.spec, PLAIN | FORKS | {"force_color", "force_gray", "draws_of"})
        if transform.force_color and transform.force_gray:
            raise LayerError(
                "force_color and force_gray are both set", ("transform_param", "force_gray")
            )
        if param.partial_batches:
            self._check_partial_batches()
        self.batch_size = int(param.batch_size)
        self._color = True if transform.force_color else False if transform.force_gray else None
        path = own_source(param, self.context)
        if is_leveldb(path) and not can_read_leveldb():
            raise LayerError(
                f"{path} is a LevelDB, which needs plyvel",
                ("data_param", "source"),
                LEVELDB_HELP,
            )
        self.database = Database(path)
        self.records = self.length = len(self.database)
        try:
            self._refuse_boxes(self.database)
            self.transformer = self._transformer(self.database)
        except BaseException:
            self.close()
            raise
        self.image_shape = self.transformer.output_shape
        if param.partial_batches:
            self.batch_size = min(self.batch_size, self.length)
            self.traits = replace(self.traits, varies=self.length % self.batch_size != 0)
        self.share_out()
        self._share_out_last()
        self.shard = shard_of(self, param, path, self.records)
        if self.shard is not None:
            self.length = self.shard.length

    def _share_out_last(self) -> None:
        """Find this rank's part of the smaller batch at the end of an epoch."""
        self._last: Part | None = None
        if self.part is None or not self.traits.varies:
            return
        left, ranks = self.length % self.part.whole, self.context.ranks
        few, most = left < ranks.size, self.part.whole // ranks.size
        if (few and left > most) or self.part.step > 1:
            self.close()
            raise LayerError(
                f"the last batch of an epoch has {left} records, for {ranks.size} ranks of which "
                f"one takes {most}"
                if self.part.step == 1
                else "batches of each rank cannot end with the epoch",
                ("data_param", "partial_batches"),
                "fewer ranks or another batch size, or all batches full: partial_batches: false",
            )
        self._last = ranks.part_of_few(left) if few else ranks.part(left)

    def _check_partial_batches(self) -> None:
        if self.spec.data_param.rand_skip:
            raise LayerError(
                "partial_batches end with the epoch, so rand_skip cannot shift them",
                ("data_param", "rand_skip"),
            )

    def _refuse_boxes(self, database: Database) -> None:
        """Records with boxes have no class number, unless they say so."""
        if len(self.spec.top) > 1 and database.has_boxes and database.first()[1].label < 0:
            raise LayerError(
                f"'{self.spec.top[1]}' would be class numbers, but {database.path} has images with "
                "boxes",
                ("top", 1),
                "an AnnotatedData layer reads the boxes, this layer only the images",
            )

    def _transformer(self, database: Database) -> Transformer:
        """The transformer, for the shape of the first record."""
        key, datum = database.first()
        shape = decode(datum, database.where(key), color=self._color).shape
        mean = mean_of(self)
        try:
            return transformer_of(self, shape, mean)
        except DataError as error:
            raise DataError(f"{database.path}: {error}") from error

    def upcoming(self) -> list[Shape]:
        assert isinstance(self.source, BatchSource), "build comes before"
        return self.tops_of(self.source.size_at(self.position))

    def upcoming_part(self) -> Part | None:
        assert isinstance(self.source, BatchSource), "build comes before"
        return self.source.part_at(self.position)

    def variants(self) -> list[list[Shape]]:
        last = self.length % self.batch_size if self._last is None else self._last.count
        return [self.tops_of(self.batch_size), self.tops_of(last)]

    def after(self, position: int, batches: int) -> int:
        if not self.traits.varies:
            return super().after(position, batches)
        assert isinstance(self.source, BatchSource), "build comes before"
        for _ in range(batches):
            position += self.source.size_at(position)
        return position

    def cached_bytes(self) -> int:
        limit = cache_limit(
            self.spec.data_param.cache if self.spec.data_param.HasField("cache") else None
        )
        return cached_bytes(self.records, self.batch_size, self.transformer, limit)

    def make_source(self) -> BatchSource:
        assert self.database is not None, "setup comes before build"
        param, context = self.spec.data_param, self.context
        return BatchSource(
            self.database,
            self.batch_size,
            self.transformer,
            color=self._color,
            shuffle=shuffled(self, param),
            seed=context.seed,
            partial=param.partial_batches,
            part=self.part,
            last=self._last,
            shard=self.shard,
            skip=self.skipped(param.rand_skip),
            threads=param.threads if param.threads else context.threads,
            cache_limit=cache_limit(param.cache if param.HasField("cache") else None),
            empty=self.device.pinned,
        )

    def close(self) -> None:
        super().close()
        if self.database is not None:
            self.database.close()
