"""A job on pictures."""

from modelmill.datasets.schema import Schema
from modelmill.jobs.spec import TrainingSpec
from modelmill.models.signature import image_signature
from modelmill_training.classifier.outcome import outcome_of, train_any
from modelmill_training.environment import Environment
from modelmill_training.image.prepare import prepare
from modelmill_training.outcome import Outcome
from modelmill_training.progress import Progress


def run(environment: Environment, spec: TrainingSpec, schema: Schema, progress: Progress) -> Outcome:
    """See `job.Family`."""
    images = prepare(environment, spec, schema, progress)
    trained = train_any(images, spec, progress)
    height, width, channels = images.pixels.shape[1:]
    profiled = (column for column in schema.columns if column.type != "image" and column.name != "name")
    return outcome_of(
        images,
        trained,
        image_signature(height, width, channels, images.labels),
        {"missing_target_rows": images.missing_target_rows},
        profile={column.name: column.to_dict() for column in profiled},
    )
