"""One face: what a command offers, the settings, the form of the page and the API offer too;
likewise data sets: commands, tasks and forms.

Each option is in all three with one default and one bound, or in a table here with its reason.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from pydantic import ValidationError

from protonet.cli.app import app
from protonet.cli.train import command as train
from protonet.data.create import create_gradients
from protonet.errors import UsageError
from protonet.jobs.run.bounds import BOUNDS, CHOICES, POLICIES, SOLVERS, Bound
from protonet.jobs.run.directory import RunDirectory
from protonet.jobs.run.settings import RunSettings
from protonet.jobs.tasks.task import KINDS
from protonet.jobs.training.resume import ResumeOptions
from protonet.jobs.training.start import start
from protonet.proto.text import Source, read_net
from protonet.web.datasets import forms
from protonet.web.datasets.augmented import AugmentForm
from protonet.web.forms import ImagesQuery, TestForm
from protonet.web.page.models.data import DataSection
from protonet.web.page.models.solver import POLICIES as SHOWN_POLICIES
from protonet.web.page.models.solver import SolverSection
from protonet.web.page.models.weights import WeightsSection
from protonet.web.results.image import predict_image
from protonet.web.training_form import (
    CheckForm,
    CurveForm,
    LengthForm,
    ResumeForm,
    RuleForm,
    TrainingForm,
)

ROOT = Path(__file__).parents[1]

PATHS = {"data", "labels", "val_data", "val_labels", "label_map", "name_sizes"}

NOT_IN_THE_FORM = {
    **dict.fromkeys(PATHS, "dataset names the data set that has it"),
    "known_mean": "dataset: the mean of the data set",
    "out": "the job's folder",
    "python_layers": "a server runs no code of its users",
}
"""Settings that are no field of the form."""

NO_OPTION = {
    "known_mean": "--mean FILE",
}
"""Settings without an option of ``train``."""

ONLY_OPTIONS = {
    **dict.fromkeys(
        ("max_iter", "snapshot", "level", "stage", "batch_per_rank"), "of a solver file"
    ),
    **dict.fromkeys(("resume",), "a button of a job, with the fields of LengthForm"),
    **dict.fromkeys(("sigint_effect", "sighup_effect"), "signals of a terminal"),
    **dict.fromkeys(("log_format", "quiet", "verbose"), "what a terminal shows"),
    **dict.fromkeys(("untrusted", "allow_python_layers", "imports"), "code of one's own"),
    "network": "a field of the form, but no setting",
    "gpu": "--device cuda:N, as Caffe writes it",
}
"""Options of ``train`` that are no settings."""

ONLY_FIELDS = {
    "network": "an argument of train",
    "name": "--out",
    "dataset": "--data, --labels, --val-data, --val-labels",
    "lrs": "--lr with several values",
    "batch_sizes": "--batch-size with several values",
    "weights_of": "--weights RUN",
    "weights_at": "--weights RUN@N",
    "notes": "of a job",
    "group": "of a job",
}
"""Fields of the form that are no settings."""

OTHER_NAMES = {"lrs": "lr", "batch_sizes": "batch_size", "no_fuse": "fuse"}
"""Parameters of ``train`` and the settings that they set."""

SETTINGS = {each.name: each for each in fields(RunSettings)}
FORM = TrainingForm.model_fields
REQUIRED = {"name": "m", "network": "x", "dataset": "d"}


def options() -> dict[str, click.Parameter]:
    """The parameters of ``train`` by the names of the settings."""
    return {OTHER_NAMES.get(each.name or "", each.name or ""): each for each in train.params}


def settings(**values: Any) -> RunSettings:
    return RunSettings(Path("data"), val_data=Path("val"), **values)


def test_settings_are_in_the_form() -> None:
    offered = FORM.keys() | {"batch_size"}
    assert SETTINGS.keys() - offered == NOT_IN_THE_FORM.keys() & SETTINGS.keys()
    assert FORM.keys() - SETTINGS.keys() == ONLY_FIELDS.keys()


def test_settings_are_options() -> None:
    """``--untrusted`` is the option of ``python_layers``."""
    missing = SETTINGS.keys() - options().keys() - {"python_layers"}
    assert missing == NO_OPTION.keys()
    assert options().keys() - SETTINGS.keys() == ONLY_OPTIONS.keys()


def test_defaults_are_the_same() -> None:
    """Options have none of their own; the form has those of the settings."""
    for name, setting in SETTINGS.items():
        option = options().get(name)
        if option is not None and name != "data":
            assert option.to_info_dict()["default"] in (None, False), name
        if name in FORM and name not in ("weights", "threads", "steps"):
            assert setting.default is not MISSING
            assert FORM[name].default == setting.default, name


def test_the_help_tells_the_defaults() -> None:
    for name, option in options().items():
        default = SETTINGS[name].default if name in SETTINGS else None
        if isinstance(option, click.Option) and type(default) in (int, float, str) and default:
            told = re.search(r"Default: ([\w.]+?)[.,;]( |$)", option.help or "")
            assert told is not None, name
            assert told[1] == (default if isinstance(default, str) else f"{default:g}"), name


def edges(bound: Bound) -> Iterator[tuple[float, bool]]:
    """Values at the bounds and around them, and whether they are right."""
    step = 1 if bound.whole else 1e-9
    yield bound.least, not bound.above
    yield bound.least - step, False
    yield bound.least + step, True
    if bound.most != float("inf"):
        yield bound.most, not bound.below
        yield bound.most + (1 if bound.whole else 1e-6), False


@pytest.mark.parametrize("name", BOUNDS)
def test_bounds_are_the_same(name: str) -> None:
    for value, right in edges(BOUNDS[name]):
        given = int(value) if BOUNDS[name].whole else value
        field: dict[str, Any] = {"batch_sizes": [given]} if name == "batch_size" else {name: given}
        if right:
            settings(**{name: given})
            TrainingForm.model_validate({**REQUIRED, **field})
            continue
        with pytest.raises(UsageError, match=name.replace("_", " ")):
            settings(**{name: given})
        with pytest.raises(ValidationError):
            TrainingForm.model_validate({**REQUIRED, **field})


def test_choices_are_the_same() -> None:
    for name, words in {**CHOICES, "solver": SOLVERS, "lr_policy": POLICIES}.items():
        for word in words:
            settings(**{name: word})
            TrainingForm.model_validate({**REQUIRED, name: word})
        with pytest.raises(ValidationError):
            TrainingForm.model_validate({**REQUIRED, name: "another"})
    assert {each for each in SHOWN_POLICIES if each} == set(POLICIES)


def test_the_page_has_every_field() -> None:
    """By the names in the code of its sections."""
    code = "".join(map(inspect.getsource, (DataSection, SolverSection, WeightsSection)))
    shown = set(re.findall(r"self\.(?:text|number|numbers|choice|check)\(\s*\"(\w+)\"", code))
    kept = {"network", "notes", "lr", "memory_limit"}  # by the editor, a clone, lrs and limit
    assert FORM.keys() - shown - kept == set()
    assert shown - FORM.keys() == {"own_mean", "limit"}


def test_the_curve_has_the_fields_of_the_policy() -> None:
    other = {"images", "batch_size"}
    assert CurveForm.model_fields.keys() - other <= FORM.keys()
    assert RuleForm.model_fields.keys() <= FORM.keys()


RESUMED = {
    "epochs": "the length of the job's page (LengthForm)",
    "max_iter": "of a solver file",
    "device": "the length, and Resume on another device (ResumeForm)",
    **dict.fromkeys(
        ("memory_limit", "recompute", "fuse", "tf32", "precision"),
        "a job goes on as it began; a clone begins with other values",
    ),
    "moved": "data sets of a server do not move",
}
"""The options of ``train --resume``, and what the page has for them."""


def test_resuming_has_one_face() -> None:
    assert {each.name for each in fields(ResumeOptions)} == RESUMED.keys()
    assert LengthForm.model_fields.keys() == {"epochs", "device"}
    assert ResumeForm.model_fields.keys() == {"device"}
    options_there = {OTHER_NAMES.get(each.name or "", each.name) for each in train.params}
    assert RESUMED.keys() - {"moved"} <= options_there


CHECKED = {"network": "NETWORK", "dataset": "--data, --labels", "weights_of": "--weights RUN",
           "weights_at": "--weights RUN@N", "mean": "train looks at it before it begins",
           "allow_mismatch": "train decides"}  # fmt: skip
"""The fields of a check that are no options of ``check`` by their name."""


def test_checking_has_one_face() -> None:
    asked = {each.name for each in dataset_command("check").params}
    assert CheckForm.model_fields.keys() - asked == CHECKED.keys() - asked
    assert {"weights", "crop", "batch_size", "as_json"} <= asked


def test_the_curve_and_augmented_images_have_one_face() -> None:
    """Of the page: the form of a training draws the curve, and shows what its data layer does."""
    curve = {OTHER_NAMES.get(each.name or "", each.name or "")
             for each in dataset_command("learning-rate").params}  # fmt: skip
    other = {"solver", "data", "picture", "as_json", "imports"}
    assert CurveForm.model_fields.keys() == curve - other
    augment = {each.name: each for each in dataset_command("augment").params}
    assert AugmentForm.model_fields.keys() - {"part"} == augment.keys() - {"folder", "data"}
    for name in ("count", "variants", "seed"):
        default = AugmentForm.model_fields[name].default
        assert augment[name].to_info_dict()["default"] == default, name


DATASETS: dict[str, tuple[str, type[forms.NamedForm]]] = {
    "gradients": ("create-db gradients", forms.GradientsForm),
    "shapes": ("create-db shapes", forms.ShapesForm),
    "segments": ("create-db segments", forms.SegmentsForm),
    "folders": ("convert-folders", forms.FoldersForm),
    "lists": ("convert-lists", forms.ListsForm),
    "vectors": ("convert-vectors", forms.VectorsForm),
    "detection": ("convert-detection", forms.DetectionForm),
    "segmentation": ("convert-segmentation", forms.SegmentationForm),
}
"""The command and the form of each task that makes a data set."""

NOT_ASKED = {
    "restart": "a job begins in a folder of its own",
    "within": "what the server may read",
    "root": "folder in a form, the folder of an upload",
    "folder": "the job's folder",
    "train": "uploaded", "val": "uploaded", "names": "uploaded", "table": "uploaded",
}  # fmt: skip
"""Fields of tasks that a form does not have, or has for something else."""

OTHER_DEFAULTS = {
    ("vectors", "val_share"): "0.2: on the page nothing else makes a validation set",
    ("lists", "encoding"): "PNG: less disk, the same pixels",
}
"""Fields of forms whose default differs from that of the command."""


def dataset_command(path: str) -> click.Command:
    command: click.Command = app
    for word in path.split():
        assert isinstance(command, click.Group)
        found = command.get_command(click.Context(command), word)
        assert found is not None
        command = found
    return command


@pytest.mark.parametrize("kind", DATASETS)
def test_data_sets_have_one_face(kind: str) -> None:
    path, form = DATASETS[kind]
    task = {each.name: each for each in fields(KINDS[kind])}
    asked = {
        "encoding" if each.name == "encoded" and "encoding" in task else each.name: each
        for each in dataset_command(path).params
        if each.name != "ranks"  # of the command, as its terminal
    }
    assert asked.keys() == task.keys() - {"within"}
    shown = form.model_fields
    assert task.keys() - shown.keys() <= NOT_ASKED.keys()
    assert shown.keys() - task.keys() == {"name"}
    for name, field in task.items():
        if name in NOT_ASKED or field.default is MISSING:
            continue
        option = asked[name].to_info_dict()["default"]
        assert (option or None) == (field.default or None), name
        if (kind, name) not in OTHER_DEFAULTS:
            assert (shown[name].default or None) == (field.default or None), name


def test_every_way_to_make_a_data_set_has_a_command() -> None:
    assert DATASETS.keys() == KINDS.keys() - {"train", "resume", "predict"}


def test_answers_have_one_form(tmp_path: Path) -> None:
    """``infer --json`` and the API tell the same of an image; the API also of its layers."""
    run, gradients = tmp_path / "run", tmp_path / "data"
    create_gradients(gradients, 12, 10, 20, 4, seed=2)
    network = (ROOT / "examples" / "prototxt" / "gradients" / "net.prototxt").read_text()
    data, labels = gradients / "train_images", gradients / "train_labels"
    start(read_net(Source("net.prototxt", network)),
          RunSettings(data, labels=labels, epochs=1.0, out=run))  # fmt: skip
    image = gradients / "test.png"
    found = CliRunner().invoke(app, ["infer", str(run), str(image), "--json"])
    assert json.loads(found.stdout) == predict_image(RunDirectory.open(run), image).answer


OF_MANY = {
    "path": "--data",
    "labels": "--labels",
    "snapshot": "--snapshot",
    "most": "not all of many images; the command takes all",
}
"""The fields of a test on many images, and what ``test RUN`` has for them."""
OF_BOXES = "--threshold"
"""Of ``test RUN``; with a test that is kept, the figures and images are asked for with it."""


def test_tests_have_one_face() -> None:
    asked = {option for each in dataset_command("test").params for option in each.opts}
    assert TestForm.model_fields.keys() == OF_MANY.keys()
    assert {each for each in OF_MANY.values() if each.startswith("--")} <= asked
    infer = {option for each in dataset_command("infer").params for option in each.opts}
    assert {"--snapshot", "--json"} <= infer
    assert OF_BOXES in asked
    (option,) = (each for each in dataset_command("test").params if OF_BOXES in each.opts)
    assert option.to_info_dict()["default"] == ImagesQuery.model_fields["threshold"].default
    default = TestForm.model_fields["snapshot"].default
    for command in ("test", "infer"):
        (option,) = (each for each in dataset_command(command).params if each.name == "snapshot")
        assert option.to_info_dict()["default"] == default
