"""From the dataset's files to labelled texts, dealt into parts."""

import hashlib
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from modelmill.datasets.schema import Schema
from modelmill.jobs.spec import TrainingSpec
from modelmill_training.data import Integers, read_arrow
from modelmill_training.environment import Environment
from modelmill_training.failures import TrainingFailure
from modelmill_training.onnx_graph import INT64, value_info
from modelmill_training.progress import Progress
from modelmill_training.report.warnings import Finding, warning
from modelmill_training.split import Hashes, Split, split_rows
from modelmill_training.target import decode_target
from modelmill_training.text.base_model import BaseModel
from modelmill_training.text.tokens import Ids, padded

MAX_EXAMPLES = 5
EXAMPLE_CHARACTERS = 80
MISTAKE_CHARACTERS = 300
REFERENCE_CHARACTERS = 2_000


@dataclass(frozen=True)
class Texts:
    """All rows that have a text and a label.

    column: where the texts come from. target: [N] indexes into `labels`. present_rows: [N] places in the dataset.
    missing_target_rows, empty_texts: rows left out. conflicting: texts that occur with more than one label.
    base_model: what the job starts from.
    """

    column: str
    texts: list[str]
    target: Integers
    labels: list[str]
    split: Split
    present_rows: Integers
    missing_target_rows: int
    empty_texts: int
    conflicting: list[str]
    base_model: BaseModel | None = None

    kind = "text"

    def take(self, rows: Integers) -> list[str]:
        """See `Samples`."""
        return [self.texts[row] for row in rows]

    def graph_input(self) -> onnx.ValueInfoProto:
        """See `Samples`."""
        return value_info("input_ids", INT64, "N", "L")

    def feed(self, model: Any, items: list[str]) -> Ids:
        """See `Samples`; `model.tokenizer` gives the ids."""
        return padded(model.tokenizer, items)

    def reference(self, rows: Integers) -> tuple[list[dict[str, Any]], list[str]]:
        """See `Samples`."""
        short = [text[:REFERENCE_CHARACTERS] for text in self.take(rows)]
        return [{"text": text} for text in short], short

    def warnings(self) -> list[Finding]:
        """See `Samples`."""
        if not self.conflicting:
            return []
        shown = "; ".join(repr(text[:EXAMPLE_CHARACTERS]) for text in self.conflicting[:MAX_EXAMPLES])
        what = "text occurs" if len(self.conflicting) == 1 else "texts occur"
        text = f"{len(self.conflicting)} {what} with more than one label, such as {shown}: correct them"
        return [warning("conflicting_labels", text)]

    def describe(self, row: int) -> dict[str, Any]:
        """See `Samples`."""
        return {"text": self.texts[row][:MISTAKE_CHARACTERS]}


def prepare(environment: Environment, spec: TrainingSpec, schema: Schema, progress: Progress) -> Texts:
    """Read the texts and labels, leave out what lacks one of them, and deal the rest.

    Raises:
        TrainingFailure: nothing can be learned from this.
    """
    target_name, name = spec.target or "", text_column(schema, spec)
    arrow = read_arrow(environment.data_file, schema, [target_name, name])
    progress.report("prepare")
    kinds = {column.name: column.type for column in schema.columns}
    target = decode_target(arrow.column(target_name), kinds[target_name], spec.task)
    texts = np.array(arrow.column(name).to_pylist(), dtype=object)[target.present]
    filled = _filled(texts)
    kept, values = list(texts[filled]), target.values[filled].astype(np.int64)
    labels = target.labels or []
    _require_texts(values, labels)
    identity = _identity(kept)
    split = split_rows(identity, values, spec.seed)
    return Texts(
        column=name,
        texts=kept,
        target=values,
        labels=labels,
        split=split,
        present_rows=np.flatnonzero(target.present)[filled],
        missing_target_rows=len(target.present) - target.rows,
        empty_texts=int(np.count_nonzero(~filled)),
        conflicting=_conflicting(kept, identity, values),
    )


def prepare_unlabelled(environment: Environment, spec: TrainingSpec, schema: Schema, progress: Progress) -> Texts:
    """Read the texts, leave out empty ones, and deal the rest."""
    name = text_column(schema, spec)
    arrow = read_arrow(environment.data_file, schema, [name])
    progress.report("prepare")
    texts = np.array(arrow.column(name).to_pylist(), dtype=object)
    filled = _filled(texts)
    kept = list(texts[filled])
    return Texts(
        column=name,
        texts=kept,
        target=np.zeros(len(kept), dtype=np.int64),
        labels=[],
        split=split_rows(_identity(kept), None, spec.seed),
        present_rows=np.flatnonzero(filled),
        missing_target_rows=0,
        empty_texts=int(np.count_nonzero(~filled)),
        conflicting=[],
    )


def _filled(texts: NDArray[Any]) -> NDArray[np.bool_]:
    return np.array([text is not None and not text.isspace() and text != "" for text in texts], dtype=bool)


def text_column(schema: Schema, spec: TrainingSpec) -> str:
    """The named column, or the only one of text; `trainability.text` has made sure that there is one.

    Raises:
        TrainingFailure: there is not.
    """
    target = spec.target or spec.ignored_target
    words = [column for column in schema.columns if column.type in ("text", "category") and column.name != target]
    if spec.features:
        words = [column for column in words if column.name == spec.features[0]]
    found = [column for column in words if column.type == "text"] or words
    if len(found) != 1:
        raise TrainingFailure("unknown_column", f"Got {len(found)} columns of text, expected one: name it in features.")
    return found[0].name


def _require_texts(values: Integers, labels: list[str]) -> None:
    counts = np.bincount(values, minlength=len(labels))
    rare = [label for label, count in zip(labels, counts, strict=True) if count < 2]
    if rare:
        shown = ", ".join(map(repr, rare[:10]))
        raise TrainingFailure(
            "too_few_rows", f"These classes have less than two texts that are not empty: {shown}: add texts or merge."
        )


def _identity(texts: list[str]) -> Hashes:
    """[N] equal for texts that are equal but for spaces around them."""
    digests = (hashlib.blake2b(text.strip().encode(), digest_size=8).digest() for text in texts)
    return np.frombuffer(b"".join(digests), dtype=np.uint64)


def _conflicting(texts: list[str], identity: Hashes, target: Integers) -> list[str]:
    labels: dict[int, set[int]] = defaultdict(set)
    first: dict[int, str] = {}
    for text, key, label in zip(texts, identity.tolist(), target.tolist(), strict=True):
        labels[key].add(label)
        first.setdefault(key, text)
    return [first[key] for key, found in labels.items() if len(found) > 1]
