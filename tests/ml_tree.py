"""Builders of the /opt/ml tree that a training container finds, and of small data sets to put into it."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pyarrow as pa
import pyarrow.parquet as pq
import sklearn.datasets

from modelmill.datasets.schema import Column, Schema
from modelmill.jobs.catalogue import CATALOGUE_VERSION
from modelmill.jobs.spec import TrainingSpec
from modelmill.models.manifest import Manifest

ARROW_TYPES = {
    "number": pa.float64(),
    "integer": pa.int64(),
    "category": pa.string(),
    "text": pa.string(),
    "boolean": pa.bool_(),
    "timestamp": pa.timestamp("us"),
    "image": pa.binary(),
}

# Runs several jobs in one process, so that TensorFlow is imported once.
SEVERAL = """
import os, sys
from modelmill_training.__main__ import main
for root in sys.argv[1:]:
    os.environ["MODELMILL_ML_ROOT"] = root
    main()
"""

EPOCH = datetime(1970, 1, 1)

Columns = dict[str, tuple[str, list[Any]]]


@dataclass(frozen=True)
class Data:
    """A table of typed columns and what to predict, None where there is nothing."""

    columns: Columns
    target: str | None
    task: str
    kind: str = "tabular"

    def with_columns(self, **columns: tuple[str, list[Any]]) -> "Data":
        """Some columns replaced or added."""
        return replace(self, columns={**self.columns, **columns})

    def take(self, rows: Any) -> "Data":
        taken = {name: (kind, [values[row] for row in rows]) for name, (kind, values) in self.columns.items()}
        return replace(self, columns=taken)

    def values(self, name: str) -> list[Any]:
        return self.columns[name][1]


@dataclass(frozen=True)
class Tree:
    """The tree of one job, before and after it ran."""

    root: Path
    data: Data

    @property
    def failure(self) -> str | None:
        path = self.root / "output/failure"
        return path.read_text("utf-8") if path.exists() else None

    @cached_property
    def manifest(self) -> Manifest:
        return Manifest.from_json((self.root / "model/manifest.json").read_bytes())

    @cached_property
    def parts(self) -> dict[str, list[int]]:
        """Row numbers of the dataset by part."""
        table = pq.read_table(self.root / "model/split.parquet").to_pydict()
        pairs = list(zip(table["row"], table["part"], strict=True))
        return {part: [row for row, its in pairs if its == part] for part in ("train", "validation", "test")}

    def inputs(self, rows: list[int]) -> dict[str, Any]:
        """The graph's inputs, made from the signature alone."""
        inputs: dict[str, list[Any]] = {}
        for feature in sorted(self.manifest.signature.features, key=lambda feature: (feature.input, feature.index)):
            values = [self.data.values(feature.name)[row] for row in rows]
            inputs.setdefault(feature.input, []).extend(_places(feature.type, values))
        dtypes = {"numeric": np.float64, "categorical": object}
        return {name: np.array(places, dtype=dtypes[name]).T for name, places in inputs.items()}

    def predict(self, rows: list[int]) -> dict[str, Any]:
        return self.run(self.inputs(rows))

    def run(self, inputs: dict[str, Any]) -> dict[str, Any]:
        session = onnxruntime.InferenceSession(self.root / "model/model.onnx", providers=["CPUExecutionProvider"])
        names = [output.name for output in session.get_outputs()]
        return dict(zip(names, session.run(names, inputs), strict=True))


def write_tree(root: Path, data: Data, algorithm: str = "linear", base_model: Path | None = None, **spec: Any) -> Tree:
    """The input folders of a job, that of a base model among them; `spec` overrides fields of the training spec."""
    training, channel = root / "input/data/training", root / "input/data/spec"
    for folder in (training, channel, root / "model", root / "output"):
        folder.mkdir(parents=True)
    arrays = {name: pa.array(values, type=ARROW_TYPES[kind]) for name, (kind, values) in data.columns.items()}
    table = pa.table(arrays)
    pq.write_table(table, training / "data.parquet")
    columns = [_column(name, kind, table[name]) for name, (kind, _) in data.columns.items()]
    (training / "schema.json").write_text(json.dumps(Schema(data.kind, table.num_rows, 0, columns).to_dict()))
    fields = {
        "job_id": "job-1",
        "model": "sample",
        "dataset_id": "ds-1",
        "kind": data.kind,
        "dataset_sha256": hashlib.sha256((training / "data.parquet").read_bytes()).hexdigest(),
        "task": data.task,
        "algorithm": algorithm,
        "hyperparameters": {},
        "target": data.target,
        "features": None,
        "seed": 7,
        "catalogue_version": CATALOGUE_VERSION,
        **spec,
    }
    if base_model is not None:
        shutil.copytree(base_model, root / "input/data/base_model")
        fields |= {"base_model": "bm-1", "base_model_sha256": "0" * 64}
    (channel / "spec.json").write_text(json.dumps(TrainingSpec(**fields).to_dict()))
    return Tree(root, data)


def run_entry(*trees: Tree) -> "subprocess.CompletedProcess[str]":
    """The jobs as SageMaker starts them: one by `python -m`, several one after the other in one process."""
    command = ["-m", "modelmill_training"] if len(trees) == 1 else ["-c", SEVERAL, *(str(tree.root) for tree in trees)]
    environment = {**os.environ, "MODELMILL_ML_ROOT": str(trees[0].root), "OMP_WAIT_POLICY": "PASSIVE"}
    return subprocess.run(
        [sys.executable, *command], env=environment, capture_output=True, text=True, timeout=280, check=False
    )


def progress_lines(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines() if line.startswith('{"modelmill"')]


def builtin(name: str) -> Data:
    """A data set that comes with scikit-learn."""
    bunch = getattr(sklearn.datasets, f"load_{name}")()
    columns: Columns = {
        str(feature): ("number", bunch.data[:, place].tolist()) for place, feature in enumerate(bunch.feature_names)
    }
    if name == "diabetes":
        return Data({**columns, "target": ("number", bunch.target.tolist())}, "target", "regression")
    labels = [str(bunch.target_names[place]) for place in bunch.target]
    task = "binary" if len(bunch.target_names) == 2 else "multiclass"
    return Data({**columns, "target": ("category", labels)}, "target", task)


def mixed(rows: int = 600, task: str = "binary", seed: int = 3) -> Data:
    """Every type of column, missing values, names and categories beyond ASCII, and columns that cannot be used."""
    random = np.random.default_rng(seed)
    age = random.uniform(18, 90, rows)
    city = random.choice(["Zürich", "北京", "São Paulo", "Łódź"], rows)
    member = random.random(rows) < 0.4
    visits = random.integers(0, 30, rows)
    joined = np.datetime64("2024-01-01T00:00:00", "us") + random.integers(0, 63_072_000, rows) * np.timedelta64(1, "s")
    score = (age - 50) / 20 + (city == "北京") * 1.5 - member * 1.2 + visits / 15 + random.normal(0, 0.3, rows)
    outcome = ("number", score.tolist()) if task == "regression" else ("integer", (score > 0.7).astype(int).tolist())

    def holes(values: Any) -> list[Any]:
        missing = random.random(rows) < 0.05
        return [None if hole else value for value, hole in zip(values.tolist(), missing, strict=True)]

    columns: Columns = {
        "âge": ("number", holes(age)),
        "city": ("category", holes(city)),
        "member": ("boolean", holes(member)),
        "visits": ("integer", holes(visits)),
        "joined": ("timestamp", holes(joined)),
        "comment": ("text", [f"free text number {row}" for row in range(rows)]),
        "customer_id": ("integer", list(range(1000, 1000 + rows))),
        "country": ("category", ["CH"] * rows),
        "nothing": ("number", [None] * rows),
        "outcome": (outcome[0], holes(np.array(outcome[1], dtype=object))),
    }
    return Data(columns, "outcome", task)


def _column(name: str, kind: Any, array: Any) -> Column:
    distinct = len(set(array.drop_null().to_pylist()))
    return Column(name, kind, array.null_count, distinct)


def _places(kind: str, values: list[Any]) -> list[list[Any]]:
    if kind == "category":
        return [[value or "" for value in values]]
    if kind != "timestamp":
        return [[np.nan if value is None else float(value) for value in values]]
    return list(zip(*(_calendar(value) for value in values), strict=True))


def _calendar(moment: Any) -> list[float]:
    if moment is None:
        return [np.nan] * 6
    days = (moment - EPOCH).total_seconds() / 86400
    return [days, moment.year, moment.month, moment.day, moment.weekday(), moment.hour]
