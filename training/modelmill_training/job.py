"""A training job from its input folders to a bundle."""

import importlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Protocol, cast

from modelmill.datasets.schema import Schema
from modelmill.jobs.catalogue import AUTO, resolve_hyperparameters
from modelmill.jobs.spec import TrainingSpec
from modelmill.models.manifest import MODEL_FILE, Manifest
from modelmill_training import bundle, report
from modelmill_training.cluster import Cluster
from modelmill_training.data import read_schema
from modelmill_training.environment import Environment
from modelmill_training.optimization.quantize import quantized
from modelmill_training.outcome import Outcome
from modelmill_training.progress import Progress


class Family(Protocol):
    """The module `job` of the package that is named like the kind of dataset that it trains on."""

    def run(self, environment: Environment, spec: TrainingSpec, schema: Schema, progress: Progress) -> Outcome:
        """Read the data, train, evaluate, export, and pass the parity gate.

        Raises:
            TrainingFailure: the data or what was asked for cannot give a model.
        """


def run(environment: Environment, cluster: Cluster, progress: Progress) -> Manifest | None:
    """Train what spec.json asks for and leave the bundle in the model folder; None on machines that leave none.

    All machines do the same, and what they train as well; only the chief of them writes.

    Raises:
        TrainingFailure: the data or what was asked for cannot give a model.
        InvalidRequest: a hyper-parameter is out of its range.
    """
    spec = read_spec(environment)
    schema = read_schema(environment.schema_file)
    family = cast("Family", importlib.import_module(f"modelmill_training.{spec.kind}.job"))
    with _together(cluster):
        outcome = family.run(environment, spec, schema, progress)
        if not cluster.chief:
            return None
        return _save(environment, spec, quantized(outcome, spec.optimize, progress), progress)


@contextmanager
def _together(cluster: Cluster) -> Iterator[None]:
    """With the other machines, if there are any, until all are done."""
    if not cluster.several:
        yield
        return
    from modelmill_training.networks import devices  # imports TensorFlow

    devices.join(cluster)
    yield
    devices.wait_for_all()


def read_spec(environment: Environment) -> TrainingSpec:
    """The spec, its hyper-parameters complete, or where tuning searches for the others, those that are given."""
    spec = TrainingSpec.from_dict(json.loads(environment.spec_file.read_bytes()))
    complete = resolve_hyperparameters(spec.kind, spec.algorithm, spec.hyperparameters)
    if spec.tuning is None or spec.algorithm == AUTO:
        return replace(spec, hyperparameters=complete)
    return replace(spec, hyperparameters={name: complete[name] for name in spec.hyperparameters})


def _save(environment: Environment, spec: TrainingSpec, outcome: Outcome, progress: Progress) -> Manifest:
    progress.report("save")
    folder = environment.model_folder
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MODEL_FILE).write_bytes(outcome.graph)
    for name, content in outcome.files.items():
        (folder / name).write_bytes(content)
    bundle.write_split(folder, outcome.split, outcome.present_rows)
    report.write(folder, outcome.report)
    resolved = replace(spec, algorithm=outcome.algorithm, hyperparameters=outcome.hyperparameters)
    manifest = Manifest(
        kind=spec.kind,
        task=spec.task,
        algorithm=outcome.algorithm,
        target=spec.target,
        spec=resolved.to_dict(),
        signature=outcome.signature,
        labels=outcome.labels,
        metrics=outcome.metrics,
        parity=outcome.parity,
        split=outcome.split.to_dict() | outcome.left_out,
        lineage={
            "dataset_id": spec.dataset_id,
            "dataset_sha256": spec.dataset_sha256,
            "job_id": spec.job_id,
            **_base_model(spec),
        },
        libraries=bundle.library_versions(outcome.libraries),
        files=bundle.describe_files(folder),
        created_at=bundle.now(),
        dropped=outcome.dropped,
        leaderboard=outcome.leaderboard,
        profile=outcome.profile,
        reference=outcome.reference,
        placement=outcome.placement,
        tuning=outcome.tuning,
        optimization=outcome.optimization,
    )
    bundle.write_manifest(folder, manifest)
    return manifest


def _base_model(spec: TrainingSpec) -> dict[str, str]:
    if spec.base_model is None or spec.base_model_sha256 is None:
        return {}
    return {"base_model": spec.base_model, "base_model_sha256": spec.base_model_sha256}
