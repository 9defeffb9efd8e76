"""The files of a run of Caffe's solver files: self-contained copies, except the data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from protonet.errors import ProtonetError
from protonet.formats.atomic import write_atomic
from protonet.graph.planning import plan_net
from protonet.jobs.checks.box_files import store_label_map
from protonet.jobs.definitions.inputs import image_layers
from protonet.jobs.definitions.paths import inputs_of, with_absolute_paths
from protonet.jobs.definitions.solver_extensions import heading, split
from protonet.jobs.definitions.solver_files import SolverFiles, State
from protonet.jobs.run.directory import RunDirectory
from protonet.jobs.run.fingerprint import fingerprint_text, fingerprints
from protonet.jobs.run.record import RunRecord
from protonet.jobs.run.settings import SolverSettings
from protonet.jobs.training.deploy import derive_deploy, pruned_note, store_transform
from protonet.layers.base import LayerContext
from protonet.proto.caffe_pb2 import TEST, TRAIN, SolverParameter
from protonet.proto.ignored import ignored_notes
from protonet.proto.text import NetDefinition, Source, write_text
from protonet.ranks.communicator import ALONE, Communicator, alone_on

_NETS = ("net", "net_param", "train_net", "train_net_param", "test_net", "test_net_param")


def write_solver_run(
    run: RunDirectory,
    path: Path,
    files: SolverFiles,
    settings: SolverSettings,
    ranks: Communicator = ALONE,
) -> tuple[SolverFiles, list[str]]:
    """Write the texts of the run, run.json last; return its nets and what to tell the user. Of
    several ``ranks`` this is rank 0, whose shards of databases are read.

    solver.prototxt names copies of the nets, in which every path is absolute.
    """
    train, tests = _settled_nets(files, ranks)
    settled = SolverFiles(_settled_solver(files, path), train, tests, run.path)
    source = Source.read(path)
    write_atomic(run.original, files.train.source.text.encode())
    write_atomic(run.original_solver, source.text.encode())
    _write_nets(run, settled)
    _store_classes(run, settled)
    shards = None if ranks.alone else alone_on(ranks.host)
    context = LayerContext(run.path, python_layers=settings.python_layers, shards=shards)
    transform, notes = _write_deploy(run, settled, context)
    notes = [*ignored_notes(files.solver, files.train.net), *notes]
    nets = [train.net, *(net.net for net, _ in tests)]
    run.write(
        RunRecord(
            settings=settings.absolute(),
            prefix=settled.solver.snapshot_prefix,
            name=run.path.name,
            prefix_given=str(snapshot_prefix(files.solver, path)),
            hdf5=files.solver.snapshot_format == SolverParameter.HDF5,
            beyond=split(settled.solver)[1],
            texts=(fingerprint_text(source), fingerprint_text(files.train.source)),
            databases=fingerprints(inputs_of(nets)),
            **transform,
        )
    )
    return settled, notes


def _settled_nets(
    files: SolverFiles, ranks: Communicator
) -> tuple[NetDefinition, tuple[tuple[NetDefinition, State], ...]]:
    """The train net and the test nets with absolute paths."""
    train = with_absolute_paths(files.train, files.folder, ranks)
    return train, tuple(
        (train if net is files.train else with_absolute_paths(net, files.folder, ranks), state)
        for net, state in files.tests
    )


def _settled_solver(files: SolverFiles, path: Path) -> SolverParameter:
    """The solver with absolute paths, without its nets."""
    solver = SolverParameter()
    solver.CopyFrom(files.solver)
    for name in _NETS:
        solver.ClearField(name)
    solver.snapshot_prefix = str(snapshot_prefix(files.solver, path).resolve())
    context = LayerContext(files.folder)
    listed = [name.strip() for names in solver.weights for name in names.split(",")]
    solver.weights[:] = [str(context.find(name).resolve()) for name in listed]
    return solver


def snapshot_prefix(solver: SolverParameter, path: Path) -> Path:
    """Caffe's prefix of snapshots: with the solver's name if ``snapshot_prefix`` is a folder."""
    if not solver.snapshot_prefix:
        return path.with_suffix("")
    prefix = Path(solver.snapshot_prefix)
    return prefix / path.stem if prefix.is_dir() else prefix


def _write_nets(run: RunDirectory, files: SolverFiles) -> None:
    """Write each net once, and a solver that names them: ``net`` if all are the same."""
    solver, beyond = split(files.solver)
    write_atomic(run.train_val, write_text(files.train.net).encode())
    if all(net is files.train for net, _ in files.tests):
        solver.net = run.train_val.name
    else:
        solver.train_net = run.train_val.name
        for index, (net, _) in enumerate(files.tests):
            test_net = run.path / f"test_{index}.prototxt"
            write_atomic(test_net, write_text(net.net).encode())
            solver.test_net.append(test_net.name)
    write_atomic(run.solver, (heading(beyond) + write_text(solver)).encode())


def _store_classes(run: RunDirectory, files: SolverFiles) -> None:
    """Copy the label map that the data layers name, if it is there."""
    for net in (files.train, *(net for net, _ in files.tests)):
        for layer in net.net.layer:
            named = layer.annotated_data_param.label_map_file
            if named and Path(named).is_file():
                store_label_map(run, Path(named))
                return


def _write_deploy(
    run: RunDirectory, files: SolverFiles, context: LayerContext
) -> tuple[dict[str, Any], list[str]]:
    """Derive deploy.prototxt, if possible; return the preprocessing of inference, and notes."""
    definition, phase, state = files.train, TRAIN, files.train_state
    if files.tests:
        definition, state = files.tests[-1]
        phase = TEST
    plan = plan_net(definition, phase=phase, context=context, **state)
    try:
        images = image_layers(plan)
        if not images:
            return {}, ["no Data layer of images, so no deploy.prototxt was made"]
        try:
            deploy = derive_deploy(_without_state(definition), images[0], context)
        except ProtonetError as error:
            return {}, [f"no deploy.prototxt was made: {error}"]
        write_atomic(run.deploy, write_text(deploy.definition.net).encode())
        return store_transform(run, images[0]), pruned_note(deploy.pruned)
    finally:
        plan.close()


def _without_state(definition: NetDefinition) -> NetDefinition:
    """The definition without its own state."""
    stateless = definition.copy()
    stateless.net.ClearField("state")
    return stateless
