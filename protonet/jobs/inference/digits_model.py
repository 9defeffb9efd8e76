"""A trained model as downloaded from NVIDIA's DIGITS: deploy.prototxt, weights, mean, labels.

info.json is read as DIGITS 2 to 6 write it (digits/model/tasks/caffe_train.py,
get_task_stats): image dimensions (height, width, channels), image resize mode, and the names of the
mean file, snapshot file, labels file, deploy file and train_val file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from protonet.data.resize import RESIZE_MODES
from protonet.device import Device
from protonet.errors import FormatError, UsageError
from protonet.formats.json_text import parse_json
from protonet.jobs.inference.classification import Preprocessing, open_classifier
from protonet.jobs.inference.deployed import deploy_net
from protonet.jobs.inference.predictor import ImagePredictor
from protonet.jobs.run.archive import listed, visible
from protonet.jobs.run.directory import read_class_names
from protonet.proto import rules
from protonet.proto.caffe_pb2 import TEST, TransformationParameter
from protonet.proto.text import Source, read_net

_MEANS = ("image", "pixel", "none")


@dataclass(frozen=True)
class DigitsModel:
    """The files of a model, and the preprocessing of images; ``iteration`` is that of the weights,
    None if their name does not have it.
    """

    deploy: Path
    weights: Path
    iteration: int | None
    classes: tuple[str, ...] | None
    how: Preprocessing


def open_digits_model(
    folder: Path,
    snapshot: str = "last",
    device: Device | None = None,
    *,
    memory_limit: int | None = None,
    python_layers: bool = True,
    fuse: bool = True,
    precision: str | None = None,
) -> ImagePredictor:
    """A predictor from a folder that ``read_digits_model`` reads. Close it.

    Raises:
        DataError, FormatError, NetworkError, UsageError: for files that cannot be read or do not
        belong together.
    """
    model = read_digits_model(folder, snapshot)
    predictor = open_classifier(
        model.deploy,
        model.weights,
        model.how,
        device,
        memory_limit=memory_limit,
        python_layers=python_layers,
        fuse=fuse,
        precision=precision,
    )
    predictor.iteration, predictor.class_names = model.iteration, model.classes
    return predictor


def read_digits_model(folder: Path, snapshot: str = "last") -> DigitsModel:
    """The model in a folder.

    ``snapshot`` is an iteration, or "last": the one that info.json names, or the newest.

    Raises:
        FormatError: for a missing file (lists those present), or an info.json that is damaged, or
        of another framework's model.
        NetworkError, UsageError: for a deploy net that cannot predict on images.
        UsageError: for a snapshot that does not exist.
    """
    info = _Info.read(folder)
    deploy = info.part("deploy file", "deploy.prototxt")
    if deploy is None:
        raise FormatError(f"{folder}: has no deploy.prototxt; {listed(folder)}")
    weights, iteration = _weights(info, snapshot)
    labels = info.part("labels file", "labels.txt")
    return DigitsModel(
        deploy,
        weights,
        iteration,
        None if labels is None else tuple(read_class_names(labels)),
        _preprocessing(info, deploy),
    )


@dataclass(frozen=True)
class _Info:
    """The fields of info.json; none without the file."""

    folder: Path
    values: dict[str, Any]

    @staticmethod
    def read(folder: Path) -> _Info:
        path = folder / "info.json"
        if not path.exists():
            return _Info(folder, {})
        try:
            values = parse_json(path.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise FormatError(f"{path}: is damaged: {error}") from error
        if not isinstance(values, dict):
            raise FormatError(f"{path}: expected an object with the model's fields")
        framework = values.get("framework", "caffe")
        if framework != "caffe":
            raise FormatError(
                f"{path}: the model is of {framework}; only models of caffe are supported"
            )
        return _Info(folder, values)

    def name(self, field: str) -> str:
        """A file's name without folders; "" if the field is absent."""
        value = self.values.get(field)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise self.wrong(field, "the name of a file")
        return re.split(r"[/\\]", value)[-1]

    def part(self, field: str, usual: str) -> Path | None:
        """The file that a field names, or the one of the usual name; None if neither exists.

        Raises:
            FormatError: when the named file does not exist.
        """
        name = self.name(field)
        path = self.folder / (name or usual)
        if path.is_file():
            return path
        if name:
            raise FormatError(
                f"{self.folder}: has no {name}, which info.json names as '{field}'; "
                f"{listed(self.folder)}"
            )
        return None

    def wrong(self, field: str, expected: str) -> FormatError:
        """The error for an invalid field."""
        shown = json.dumps(self.values[field])
        return FormatError(
            f"{self.folder / 'info.json'}: '{field}': expected {expected}, got {shown[:80]}"
        )


def _weights(info: _Info, snapshot: str) -> tuple[Path, int | None]:
    """The weight file, and its iteration if its name has it."""
    there = {
        path: _iteration(path) for path in sorted(info.folder.glob("*.caffemodel")) if visible(path)
    }
    if not there:
        raise FormatError(f"{info.folder}: has no .caffemodel; {listed(info.folder)}")
    numbered = {number: path for path, number in there.items() if number is not None}
    if snapshot != "last":
        wanted = int(snapshot) if snapshot.isdecimal() else None
        if wanted not in numbered:
            known = ", ".join(map(str, sorted(numbered)))
            raise UsageError(
                f"{info.folder}: no snapshot '{snapshot}'; "
                + (f"there are {known} and last" if known else "only 'last' can be chosen")
            )
        return numbered[wanted], wanted
    name = info.name("snapshot file")
    if name.endswith(".caffemodel"):  # DIGITS writes "no snapshots" if there is none
        path = info.part("snapshot file", "")
        assert path is not None, "part() refuses a file that is named and absent"
        return path, _iteration(path)
    if len(there) > 1 and len(numbered) != len(there):
        raise FormatError(
            f"{info.folder}: has several .caffemodel and no info.json that chooses one: "
            f"{', '.join(path.name for path in there)}"
        )
    return max(there.items(), key=lambda item: item[1] or 0)


def _iteration(path: Path) -> int | None:
    found = re.search(r"_iter_(\d{1,15})\.caffemodel$", path.name)
    return int(found[1]) if found else None


def _preprocessing(info: _Info, deploy: Path) -> Preprocessing:
    """The preprocessing of training: size and fit of images, mean, scale."""
    _, layer = deploy_net(Source.read(deploy))
    _, channels, height, width = layer.input_param.shape[0].dim
    how = Preprocessing(fit=_fit(info))
    size = _size(info)
    if size is not None:
        if size[2] != channels:
            raise info.wrong("image dimensions", f"{channels} channels, as {deploy.name} takes")
        if size[0] < height or size[1] < width:
            raise info.wrong("image dimensions", f"no less than the input {height}x{width}")
        how = replace(how, images_dim=size[:2])
    return _with_mean(how, info, _training(info, layer.top))


def _with_mean(
    how: Preprocessing, info: _Info, training: TransformationParameter | None
) -> Preprocessing:
    """The mean of info.json, else of train_val.prototxt, else an existing mean file."""
    kind = info.values.get("mean subtraction")
    if kind is not None and (not isinstance(kind, str) or kind.lower() not in _MEANS):
        raise info.wrong("mean subtraction", ", ".join(_MEANS))
    if training is not None:
        how = replace(how, input_scale=training.scale)
        if kind is None and training.mean_value:
            return replace(how, mean=",".join(map(str, training.mean_value)))
        if kind is None:
            kind = "image" if training.mean_file else "none"
    if kind is not None and kind.lower() == "none":
        return how
    mean = info.part("mean file", "mean.binaryproto")
    if mean is None:
        if kind is None:
            return how
        raise FormatError(
            f"{info.folder}: has no mean.binaryproto, but the model subtracts a mean; "
            f"{listed(info.folder)}"
        )
    return replace(how, mean=str(mean), mean_pixel=kind is not None and kind.lower() == "pixel")


def _training(info: _Info, inputs: Sequence[str]) -> TransformationParameter | None:
    """transform_param of the data layer of train_val.prototxt; None without that file, which older
    versions named but did not include.
    """
    path = info.folder / (info.name("train_val file") or "train_val.prototxt")
    if not path.is_file():
        return None
    definition = rules.in_state(read_net(Source.read(path)), TEST)
    for layer in definition.net.layer:
        if not layer.bottom and layer.type != "Input" and set(layer.top) & set(inputs):
            found: TransformationParameter = layer.transform_param
            return found
    return None


def _fit(info: _Info) -> str:
    mode = info.values.get("image resize mode")
    if mode is None or mode == "none":
        return "squash"
    name = mode.replace("_", "-") if isinstance(mode, str) else ""
    if name not in RESIZE_MODES:
        raise info.wrong(
            "image resize mode", ", ".join(each.replace("-", "_") for each in RESIZE_MODES)
        )
    return name


def _size(info: _Info) -> tuple[int, int, int] | None:
    """Height, width and channels of images before they are cropped."""
    value = info.values.get("image dimensions")
    if value is None:
        return None
    whole = isinstance(value, list) and all(type(each) is int and each > 0 for each in value)
    if not whole or len(value) != 3:
        raise info.wrong("image dimensions", "[height, width, channels]")
    return value[0], value[1], value[2]
