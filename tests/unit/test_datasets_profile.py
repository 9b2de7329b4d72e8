"""Profiles of real and of awkward data, against NumPy."""

import csv
import io
import json
import math
from pathlib import Path
from typing import Any

import numpy
import pytest
from sklearn import datasets

from modelmill.datasets.schema import QUANTILES, Schema
from tests.dataset_files import Uploads, column, types


@pytest.fixture
def uploads(tmp_path: Path) -> Uploads:
    return Uploads(tmp_path)


def as_csv(names: list[str], rows: Any) -> str:
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(names)
    writer.writerows(rows)
    return file.getvalue()


@pytest.mark.parametrize("load", [datasets.load_iris, datasets.load_wine, datasets.load_breast_cancer])
def test_real_classes(uploads: Uploads, load: Any) -> None:
    data = load()
    labels = data.target_names[data.target]
    rows = [[*map(float, values), label] for values, label in zip(data.data, labels, strict=True)]
    schema = uploads.read(as_csv([*data.feature_names, "label"], rows))

    assert schema.rows == len(rows)
    assert schema.duplicate_rows == len(rows) - len({tuple(row) for row in rows})
    assert types(schema)[-1] == "category"
    assert uploads.rows() == [tuple(row) for row in rows]
    counts = {str(name): int((labels == name).sum()) for name in data.target_names}
    assert {top.value: top.count for top in column(schema, "label").top or []} == counts
    for name, values in zip(data.feature_names, data.data.T, strict=True):
        agrees_with_numpy(schema, name, values)


def test_real_regression(uploads: Uploads) -> None:
    data = datasets.load_diabetes(scaled=False)
    rows = [[*map(float, values), float(target)] for values, target in zip(data.data, data.target, strict=True)]
    schema = uploads.read(as_csv([*data.feature_names, "progression"], rows))
    assert set(types(schema)) == {"number"}
    agrees_with_numpy(schema, "progression", data.target)


def agrees_with_numpy(schema: Schema, name: str, values: Any) -> None:
    found = column(schema, name)
    assert (found.nulls, found.distinct) == (0, len(numpy.unique(values)))
    assert (found.min, found.max) == (values.min(), values.max())
    assert found.mean == pytest.approx(values.mean(), rel=1e-12)
    assert found.stddev == pytest.approx(values.std(ddof=1), rel=1e-12)
    assert found.quantiles is not None
    assert list(found.quantiles.values()) == pytest.approx(list(numpy.quantile(values, QUANTILES)), rel=1e-12)
    assert found.histogram is not None
    assert found.histogram.counts == numpy.histogram(values, found.histogram.edges)[0].tolist()


def test_whole_numbers_have_a_bin_each(uploads: Uploads) -> None:
    [found] = uploads.read("x\n3\n1\n3\n5\n").columns
    assert found.histogram is not None
    assert (found.histogram.edges, found.histogram.counts) == ([1, 2, 3, 4, 5, 6], [1, 0, 2, 0, 1])
    assert [(top.value, top.count) for top in found.top or []] == [("3", 2), ("1", 1), ("5", 1)]


def test_timestamps_are_profiled_in_epoch_seconds(uploads: Uploads) -> None:
    [found] = uploads.read("x\n1970-01-01T00:00:10Z\n1970-01-01T00:00:30.5Z\n1970-01-01T00:00:20Z\n").columns
    assert (found.min, found.max) == ("1970-01-01T00:00:10Z", "1970-01-01T00:00:30.500000Z")
    assert found.quantiles is not None
    assert found.quantiles["0.5"] == 20.0
    assert found.histogram is not None
    assert (found.histogram.edges[0], found.histogram.edges[-1], sum(found.histogram.counts)) == (10.0, 30.5, 3)


@pytest.mark.parametrize(
    "cells",
    [
        ["1e308", "-1e308", "1.7e308"],
        ["5e-324", "0", "1e-300"],
        ["1.0", "1.0000000000000002", "1.0"],
        ["-0.0", "0.0"],
        ["7", "7"],
        ["9223372036854775807", "9223372036854775806", "-9223372036854775808"],
        ["0001-01-01", "9999-12-31T23:59:59Z"],
        ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"],
        ["0000-01-01", "2024-01-01"],
        ["1"],
    ],
)
def test_awkward_values_give_a_finite_profile(uploads: Uploads, cells: list[str]) -> None:
    schema = uploads.read("x\n" + "".join(f"{cell}\n" for cell in cells))
    json.dumps(schema.to_dict(), allow_nan=False)
    [found] = schema.columns
    assert found.histogram is not None
    assert sum(found.histogram.counts) == len(cells)
    assert len(found.histogram.edges) == len(found.histogram.counts) + 1
    assert found.histogram.edges == sorted(found.histogram.edges)
    assert found.quantiles is not None
    assert all(math.isfinite(value) for value in found.quantiles.values())
    assert Schema.from_dict(json.loads(json.dumps(schema.to_dict()))) == schema


def test_distinct_values_are_counted_exactly_to_ten_thousand(uploads: Uploads) -> None:
    rows = "".join(f"{i % 10_000},key {i % 9_999},{i}\n" for i in range(30_000))
    schema = uploads.read(f"a,b,c\n{rows}")
    assert [found.distinct for found in schema.columns[:2]] == [10_000, 9_999]
    assert schema.columns[2].distinct == pytest.approx(30_000, rel=0.35)


def test_quantiles_of_many_rows_come_from_a_fixed_sample(uploads: Uploads) -> None:
    content = "x,rare\n" + "".join(f"{i}.5,{i if i % 100_000 == 0 else ''}\n" for i in range(600_000))
    first = uploads.read(content)
    assert first.columns[0].quantiles == uploads.read(content).columns[0].quantiles
    for share, value in (first.columns[0].quantiles or {}).items():
        assert value == pytest.approx(float(share) * 600_000, abs=2_000)
    assert (first.columns[1].quantiles or {})["0.5"] == 250_000


def test_repeated_rows_are_counted(uploads: Uploads) -> None:
    assert uploads.read("a,b\n1,x\n2,y\n1,x\n1,\n1,\n1,x\n").duplicate_rows == 3


def test_the_same_file_gives_the_same_bytes(uploads: Uploads) -> None:
    content = "a,b,c\n" + "".join(f"{i * 0.1},{i % 7},text {i % 13}\n" for i in range(200_000))
    first, written = uploads.read(content), uploads.parquet.read_bytes()
    assert uploads.read(content, memory_mb=600) == first
    assert uploads.parquet.read_bytes() == written
