"""A training job from its input folders to a bundle."""

import json
from dataclasses import replace

from modelmill.jobs.catalogue import AUTO, resolve_hyperparameters
from modelmill.jobs.spec import TrainingSpec
from modelmill.models.manifest import MODEL_FILE, Manifest
from modelmill_training import bundle, onnx_export, report
from modelmill_training.environment import Environment
from modelmill_training.prepare import Prepared, prepare
from modelmill_training.progress import Progress
from modelmill_training.trained import Trained, train


def run(environment: Environment, progress: Progress) -> Manifest:
    """Train what spec.json asks for and leave the bundle in the model folder.

    Raises:
        TrainingFailure: the data or what was asked for cannot give a model.
        InvalidRequest: a hyper-parameter is out of its range.
    """
    spec = read_spec(environment)
    prepared = prepare(environment, spec, progress)
    if spec.algorithm == AUTO:
        from modelmill_training.auto import choose  # a single algorithm does not need it

        trained = choose(prepared, spec, progress)
    else:
        trained = train(prepared, spec, spec.algorithm, spec.hyperparameters, progress)
    return _save(environment, spec, prepared, trained, progress)


def read_spec(environment: Environment) -> TrainingSpec:
    """The spec, its hyper-parameters complete."""
    spec = TrainingSpec.from_dict(json.loads(environment.spec_file.read_bytes()))
    return replace(spec, hyperparameters=resolve_hyperparameters(spec.algorithm, spec.hyperparameters))


def _save(
    environment: Environment, spec: TrainingSpec, prepared: Prepared, trained: Trained, progress: Progress
) -> Manifest:
    progress.report("save")
    folder = environment.model_folder
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MODEL_FILE).write_bytes(trained.graph)
    bundle.write_split(folder, prepared.split, prepared.present_rows)
    report.write(folder, trained.report)
    resolved = replace(spec, algorithm=trained.algorithm, hyperparameters=trained.hyperparameters)
    manifest = Manifest(
        kind="tabular",
        task=spec.task,
        algorithm=trained.algorithm,
        target=spec.target,
        spec=resolved.to_dict(),
        signature=onnx_export.signature_of(prepared.preprocessing.features, prepared.target.labels),
        labels=prepared.target.labels,
        metrics=trained.metrics,
        parity=trained.parity,
        split={**prepared.split.to_dict(), "missing_target_rows": prepared.missing_target_rows},
        lineage={
            "dataset_id": spec.dataset_id,
            "dataset_sha256": spec.dataset_sha256,
            "job_id": spec.job_id,
        },
        libraries=bundle.library_versions(trained.libraries),
        files=bundle.describe_files(folder),
        created_at=bundle.now(),
        dropped=prepared.dropped,
        leaderboard=trained.leaderboard,
        profile=bundle.profile_of(prepared.schema, prepared.preprocessing.features),
        reference=trained.reference,
        placement=trained.placement,
    )
    bundle.write_manifest(folder, manifest)
    return manifest
