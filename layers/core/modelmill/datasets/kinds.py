"""The kinds of datasets and the formats that each may arrive in."""

from typing import Literal

DatasetKind = Literal["tabular", "text", "image", "timeseries"]

# A kind that is not here cannot be created.
FORMATS: dict[str, tuple[str, ...]] = {
    "tabular": ("csv", "jsonl", "parquet"),
    "timeseries": ("csv", "jsonl", "parquet"),
    "text": ("csv", "jsonl", "parquet"),
    "image": ("zip",),
}
