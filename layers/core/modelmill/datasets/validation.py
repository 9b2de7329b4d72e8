"""From an uploaded file to data.parquet and its schema, by the kind of the dataset."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from modelmill.datasets.records import Dataset
from modelmill.datasets.schema import Problem, Rejected, Schema
from modelmill.datasets.table_upload import read_table


def read_upload(source: Path, dataset: Dataset, parquet: Path) -> Schema:
    """Check the file, write it to `parquet` and describe it; nothing is left there unless a schema is returned.

    Raises:
        Rejected: with every problem found, up to a limit.
    """
    return READERS[dataset.kind](source, dataset, parquet)


def _tabular(source: Path, dataset: Dataset, parquet: Path) -> Schema:
    return read_table(source, dataset.format, parquet)


def _timeseries(source: Path, dataset: Dataset, parquet: Path) -> Schema:
    schema = replace(read_table(source, dataset.format, parquet), kind="timeseries")
    if any(column.type == "timestamp" for column in schema.columns):
        return schema
    parquet.unlink()
    hint = f"times such as 2026-01-31 or 2026-01-31T23:00:00; the file has {_shown(schema)}"
    raise Rejected((Problem("no_time", f"no column holds {hint}. Of a year write the first day"),))


def _text(source: Path, dataset: Dataset, parquet: Path) -> Schema:
    schema = replace(read_table(source, dataset.format, parquet), kind="text")
    words = [column.name for column in schema.columns if column.type in ("text", "category")]
    if any(name != dataset.target for name in words):
        return schema
    parquet.unlink()
    found = f"no column holds text besides the target; the file has {_shown(schema)}"
    raise Rejected((Problem("no_text", found),))


def _shown(schema: Schema) -> str:
    return ", ".join(f"{column.name} ({column.type})" for column in schema.columns[:20])


def _image(source: Path, dataset: Dataset, parquet: Path) -> Schema:
    from modelmill.datasets.image_upload import read_images

    return read_images(source, dataset.target, parquet)


READERS: dict[str, Callable[[Path, Dataset, Path], Schema]] = {
    "tabular": _tabular,
    "timeseries": _timeseries,
    "text": _text,
    "image": _image,
}
