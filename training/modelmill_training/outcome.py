"""What training leaves, whatever the kind of the dataset: all that the manifest tells, and the files beside it."""

from dataclasses import dataclass, field
from typing import Any

from modelmill.models.signature import Signature
from modelmill_training.data import Integers
from modelmill_training.exam import Exam
from modelmill_training.split import Split


@dataclass(frozen=True, slots=True)
class Outcome:
    """See `Manifest` for what the fields hold.

    graph: the serialized ONNX model. exam: what other forms of it are held against.
    files: further files of the bundle by name. report: see `report.write`.
    split: which rows went where; `present_rows` [N] is the place of each in the dataset, `left_out` says how many
        rows of the dataset were not dealt, and why.
    """

    algorithm: str
    hyperparameters: dict[str, Any]
    graph: bytes
    exam: Exam
    signature: Signature
    labels: list[str] | None
    metrics: dict[str, dict[str, Any]]
    parity: dict[str, Any]
    placement: dict[str, Any]
    reference: dict[str, Any]
    report: dict[str, Any]
    libraries: tuple[str, ...]
    split: Split
    present_rows: Integers
    left_out: dict[str, int]
    files: dict[str, bytes] = field(default_factory=dict)
    dropped: list[dict[str, str]] = field(default_factory=list)
    profile: dict[str, Any] = field(default_factory=dict)
    leaderboard: list[dict[str, Any]] | None = None
    tuning: dict[str, Any] | None = None
    optimization: dict[str, Any] | None = None
