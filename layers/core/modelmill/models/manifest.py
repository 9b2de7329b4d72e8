"""The manifest of a bundle: the one contract between training, the registry and serving."""

import json
from dataclasses import dataclass, field, fields
from typing import Any, Literal, NamedTuple

from modelmill.models.signature import ModelKind, Signature

MANIFEST_VERSION = 1
MANIFEST_FILE = "manifest.json"
MODEL_FILE = "model.onnx"
# What serving loads where they are listed: the same model in the form that loads fastest, and its weights.
SERVING_FILE = "serving.onnx"
WEIGHTS_FILE = "serving.weights"
# How good a trained model is, in full; it names the pictures beside it.
REPORT_FILE = "report.json"
# From text to token ids, in the form of the tokenizers library.
TOKENIZER_FILE = "tokenizer.json"

Task = Literal["regression", "binary", "multiclass", "clustering", "anomaly_detection", "embedding", "forecasting"]


class BundleFile(NamedTuple):
    """A file of the bundle, by content."""

    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """Everything known about a model at the moment it is admitted; written once, never changed.

    Training leaves it without the files that admission adds; for an uploaded model admission writes all of it, and
    what only training knows is empty.

    task, algorithm: resolved, never `auto`; None and `uploaded` for an uploaded model.
    spec: the resolved training spec (see `jobs.spec.TrainingSpec.to_dict`), seed and catalogue version included.
    labels: class names in the order of the output that scores classes (the last output of the signature); None
        where nothing is classified.
    metrics: {"train" | "validation" | "test": {name: value}}; "test" is the held-out part.
    parity: {"passed", "rows", "tolerance", "within", "max_error", "label_flips", "worst": [...]}.
    split: {"train", "validation", "test", "seed", "stratified", "duplicate_rows"}; rows each.
    dropped: [{"column", "reason"}] for columns that were offered but not used.
    lineage: {"dataset_id", "dataset_sha256", "job_id"}, and of what started from one "base_model", "base_model_sha256".
    profile: {column name: schema.Column.to_dict()} of the training data, for drift.
    reference: {"rows": [{column: value}], "scores": [[raw scores]]}, at most 200 rows, for explanations.
    placement: {"model_bytes", "latency_us", "memory_bytes"}: measured hints.
    tuning: {"metric", "trials": {state: how many}, "best", "best_value", "default_value", "seconds"} of the search for
        hyper-parameters, `best` the number of the trial; None where nothing was searched.
    optimization: of a smaller form of the graph that was asked for, {"asked", "kept", "reason", "before", "after",
        "batch_rows", "metric", "metric_loss", "parity"}; `before` and `after` have what a graph's runs cost and its
        metric. None where none was asked for.
    files: every file of the bundle but the manifest itself.
    """

    kind: ModelKind
    task: Task | None
    algorithm: str
    target: str | None
    spec: dict[str, Any]
    signature: Signature
    labels: list[str] | None
    metrics: dict[str, dict[str, Any]]
    parity: dict[str, Any]
    split: dict[str, Any]
    lineage: dict[str, str]
    libraries: dict[str, str]
    files: dict[str, BundleFile]
    created_at: str
    dropped: list[dict[str, str]] = field(default_factory=list)
    leaderboard: list[dict[str, Any]] | None = None
    profile: dict[str, Any] = field(default_factory=dict)
    reference: dict[str, Any] = field(default_factory=dict)
    placement: dict[str, Any] = field(default_factory=dict)
    tuning: dict[str, Any] | None = None
    optimization: dict[str, Any] | None = None

    @classmethod
    def from_json(cls, text: str | bytes) -> "Manifest":
        """The manifest that `to_json` wrote.

        Raises:
            ValueError: not a manifest, or written by a newer version of modelmill.
        """
        try:
            data = json.loads(text)
            version = data.pop("manifest_version")
            if version != MANIFEST_VERSION:
                raise ValueError(f"manifest_version is {version}, this code reads {MANIFEST_VERSION}")
            data["signature"] = Signature.from_dict(data["signature"])
            data["files"] = {name: BundleFile(**file) for name, file in data["files"].items()}
            return cls(**data)
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"not a manifest: {error!r}") from error

    def to_json(self) -> str:
        """JSON text; NaN and infinity are refused, since clients could not read them."""
        content = {name: getattr(self, name) for name in (field.name for field in fields(self))}
        content["signature"] = self.signature.to_dict()
        content["files"] = {name: file._asdict() for name, file in self.files.items()}
        return json.dumps({"manifest_version": MANIFEST_VERSION, **content}, allow_nan=False, indent=1)
