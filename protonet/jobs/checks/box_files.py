"""The files of classes and sizes of a detector: checked against the network, kept in the run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from protonet.data.annotate import read_label_map
from protonet.data.database import Database
from protonet.errors import DataError, UsageError
from protonet.formats.atomic import write_atomic
from protonet.jobs.definitions.box_checks import check_boxes, check_classes
from protonet.jobs.definitions.boxes import BoxFiles, class_names, reads_boxes
from protonet.jobs.run.directory import RunDirectory
from protonet.jobs.run.settings import RunSettings
from protonet.proto.text import NetDefinition


def store_box_files(
    run: RunDirectory, pasted: NetDefinition, settings: RunSettings
) -> BoxFiles | None:
    """Copy the label map and the sizes of the validation images into the run, and write the names
    of the classes to labels.txt. None for a network that reads no boxes; on images with boxes it
    gets the names of the classes only.

    Raises:
        UsageError: for files that the network does not read.
        NetworkError, DataError: when network, databases and files do not fit together.
    """
    check_boxes(pasted, settings.data, settings.labels)
    if settings.val_data is not None:
        check_boxes(pasted, settings.val_data, settings.val_labels)
    if not reads_boxes(pasted.net):
        _store_names(run, pasted, settings)
        return None
    if settings.name_sizes is not None and settings.val_data is None:
        raise UsageError("--name-sizes are of the validation images: give --val-data")
    found = BoxFiles.find(settings.data, settings.val_data, settings.label_map, settings.name_sizes)
    check_classes(pasted, found)
    return _stored(run, found)


def _store_names(run: RunDirectory, pasted: NetDefinition, settings: RunSettings) -> None:
    """The label map of a network that reads the images of such a database, as DetectNet."""
    with Database(settings.data) as database:
        has_boxes = database.has_boxes
    found = BoxFiles.find(settings.data, None, settings.label_map).label_map
    if has_boxes and found is not None:
        store_label_map(run, found)
        return
    given = (("--label-map", settings.label_map), ("--name-sizes", settings.name_sizes))
    for option, path in given:
        if path is not None:
            raise UsageError(f"{pasted.source.name}: reads no boxes; omit {option}")


def _stored(run: RunDirectory, found: BoxFiles) -> BoxFiles:
    """The copies in the run."""
    if found.label_map is not None:
        store_label_map(run, found.label_map)
        found = replace(found, label_map=run.label_map)
    if found.name_sizes is not None:
        write_atomic(run.name_sizes, _read(found.name_sizes))
        found = replace(found, name_sizes=run.name_sizes)
    return found


def store_label_map(run: RunDirectory, label_map: Path) -> None:
    """Copy a label map, and write the names of its classes by number, a line each.

    Raises:
        DataError: for a label map that cannot be used.
    """
    names = class_names(read_label_map(label_map))
    write_atomic(run.label_map, _read(label_map))
    lines = (" ".join(name.split()) for name in names)
    write_atomic(run.labels, "".join(f"{name}\n" for name in lines).encode())


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
