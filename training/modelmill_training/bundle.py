"""The folder that training leaves behind: the graph, what is known about it, and who is who."""

import hashlib
import importlib.metadata
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelmill.datasets.schema import Schema
from modelmill.models.manifest import MANIFEST_FILE, BundleFile, Manifest
from modelmill.models.signature import CALENDAR_PARTS, Feature
from modelmill_training.data import MICROSECONDS_PER_DAY, Categories, Table
from modelmill_training.failures import ModelTooLarge
from modelmill_training.split import PARTS, Split

SPLIT_FILE = "split.parquet"
REFERENCE_ROWS = 200
REFERENCE_VALUES = 20_000

_SIZE_SETTINGS = {
    "svm": "ask for a lower max_rows, the kernel linear, or fewer columns",
    "decision_tree": "ask for a lower max_depth, or a higher min_samples_leaf or ccp_alpha",
    "random_forest": "ask for fewer trees, a lower max_depth or a higher min_samples_leaf",
    "gradient_boosting": "ask for a lower max_iter or max_leaf_nodes",
    "isolation_forest": "ask for fewer trees or a lower max_samples",
    "autoencoder": "ask for fewer or smaller layers",
    "mlp": "ask for fewer or smaller layers",
    "linear": "use fewer columns",
    "lstm": "ask for fewer units",
    "bert": "take a base model of fewer parameters, each of which is 4 bytes of the bundle",
}


def check_size(algorithm: str, size: int, limit: int) -> None:
    """Nothing, when the model fits.

    Raises:
        ModelTooLarge: names the settings to change.
    """
    if size > limit:
        sizes = f"Got a model of {size:,} bytes, expected at most {limit:,}"
        raise ModelTooLarge(f"{sizes}: {_SIZE_SETTINGS.get(algorithm, 'ask for a smaller model')}.")


def write_split(folder: Path, split: Split, rows: NDArray[np.int64]) -> None:
    """Which row of the dataset went where, so that anybody can train on the same split."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    parts = pa.DictionaryArray.from_arrays(pa.array(split.parts()), list(PARTS))
    pq.write_table(pa.table({"row": rows, "part": parts}), folder / SPLIT_FILE, compression="zstd")


def describe_files(folder: Path) -> dict[str, BundleFile]:
    """Size and hash of everything in the folder."""
    files = {}
    for path in sorted(folder.iterdir()):
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        files[path.name] = BundleFile(digest, path.stat().st_size)
    return files


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Last, so that a bundle with a manifest is complete."""
    (folder / MANIFEST_FILE).write_text(manifest.to_json(), encoding="utf-8")


def profile_of(schema: Schema, features: list[Feature]) -> dict[str, Any]:
    """The features' columns as they were in the data that the model has seen."""
    names = {feature.name for feature in features}
    return {column.name: column.to_dict() for column in schema.columns if column.name in names}


def reference_values(table: Table, features: list[Feature]) -> list[dict[str, Any]]:
    """Rows as people write them: null for missing, ISO 8601 for timestamps."""
    columns = {feature.name: _plain(table, feature) for feature in features}
    return [{name: values[row] for name, values in columns.items()} for row in range(table.rows)]


def library_versions(names: tuple[str, ...]) -> dict[str, str]:
    """Of Python and everything that had a part in it."""
    always = ("numpy", "onnx", "onnxruntime")
    versions = {name: importlib.metadata.version(name) for name in sorted({*always, *names})}
    return {"python": platform.python_version(), **versions}


def now() -> str:
    """ISO 8601 in UTC."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _plain(table: Table, feature: Feature) -> list[Any]:
    values = table.columns[feature.name]
    if isinstance(values, Categories):
        return [text or None for text in values.strings().tolist()]
    if feature.type == "timestamp":
        days = values.values[:, CALENDAR_PARTS.index("epoch_days")]
        return [None if np.isnan(day) else _iso(day) for day in days]
    kinds: dict[str, type[bool] | type[int]] = {"boolean": bool, "integer": int}
    convert = kinds.get(feature.type, float)
    return [None if np.isnan(number) else convert(number) for number in values.values[:, 0]]


def _iso(day: float) -> str:
    moment = np.datetime64(round(day * MICROSECONDS_PER_DAY), "us")
    return f"{moment}Z"
