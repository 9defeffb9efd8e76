"""Names and colours of the classes of a data set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from protonet.data.annotate import read_label_map
from protonet.data.class_table import ClassTable, read_class_table, voc_colours
from protonet.jobs.run.directory import read_class_names
from protonet.web.datasets.databases import Databases

_COLOURS = ("#e6194b", "#3cb44b", "#4363d8", "#f58231", "#911eb4", "#008080", "#f032e6", "#9a6324",
            "#808000", "#e6beff", "#46f0f0", "#d2f53c", "#fabebe", "#000080", "#aaffc3",
            "#800000")  # fmt: skip
"""Of boxes, by the number of their class."""


@dataclass(frozen=True)
class Classes:
    """The names of classes by their numbers, which may have gaps.

    ``table`` are the classes of pixels.
    """

    names: Mapping[int, str] = field(default_factory=dict)
    table: ClassTable | None = None

    @staticmethod
    def of(databases: Databases) -> Classes:
        """The classes that the files of a data set name.

        Raises:
            DataError, FormatError: for a file that cannot be read.
        """
        form = databases.form
        if form == "detection" and databases.label_map is not None:
            items = read_label_map(databases.label_map).item
            return Classes({each.label: each.display_name or each.name for each in items})
        if form == "segmentation" and databases.class_table is not None:
            table = read_class_table(databases.class_table)
            return Classes({number: name for number, name, _ in table.rows()}, table)
        if databases.classes is not None and form != "regression":
            return Classes(dict(enumerate(read_class_names(databases.classes))))
        return Classes()

    def name(self, number: int) -> str:
        """The name of a class, or its number."""
        return self.names.get(number, str(number))

    def colour(self, number: int) -> str:
        """The colour of a class as #rrggbb."""
        if self.table is not None:
            found = [colour for place, _, colour in self.table.rows() if place == number]
            if found:
                return "#{:02x}{:02x}{:02x}".format(*found[0])
        return _COLOURS[number % len(_COLOURS)]

    def pixels(self) -> ClassTable:
        """The classes of pixels; all numbers in the colours of Pascal VOC where none are named."""
        if self.table is not None:
            return self.table
        return ClassTable(tuple(map(str, range(256))), voc_colours(256))
