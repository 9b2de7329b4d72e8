"""What it costs to turn an upload into a dataset, each file in a fresh process: `python -m benchmarks.ingest`.

The floor is DuckDB's own `COPY` of the same file to Parquet in the same run: it sniffs a sample, and checks, counts
and profiles nothing. Memory is the peak of the whole process; it must hardly grow with the file.
"""

import argparse
import json
import random
import re
import time
from collections.abc import Callable, Iterator
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from modelmill.datasets.table_upload import read_table

HEADER = "amount,score,price,age,account,city,grade,member,seen,note,visits"


def rows(count: int) -> Iterator[str]:
    """Numbers, whole numbers, categories, a boolean, timestamps, quoted text and missing cells; some rows repeat."""
    draw = random.Random(0)
    for _ in range(count):
        seen = f"2024-{draw.randrange(1, 13):02}-{draw.randrange(1, 29):02}T{draw.randrange(24):02}:30:00Z"
        yield (
            f"{draw.random():.6f},{draw.gauss(0, 10):.4f},{draw.gauss(100, 30):.2f},{draw.randrange(100)},"
            f"{draw.randrange(10**6)},city {draw.randrange(500)},{draw.choice('abcd')},{draw.choice(['yes', 'no'])},"
            f'{seen},"note {draw.randrange(10**9)}, a ""quoted"" one",{draw.choice(["", "1", "2", "3"])}\n'
        )


def write_csv(path: Path, megabytes: float) -> None:
    """A CSV file of that size: a block of rows, again and again under growing amounts."""
    block, written = list(rows(20_000)), 0
    with path.open("w") as file:
        file.write(f"{HEADER}\n")
        while written < megabytes * 1e6:
            part = "".join(f"{written + place}{line[1:]}" for place, line in enumerate(block))
            written += file.write(part)


def write_jsonl(source: Path, path: Path) -> None:
    """The same rows as JSON Lines."""
    with duckdb.connect() as connection:
        connection.execute("SET enable_progress_bar = false")
        connection.execute(f"COPY (FROM read_csv('{source}')) TO '{path}' (FORMAT json)")


def ingest(path: Path, form: str) -> str:
    """Check, write and profile."""
    schema = read_table(path, form, path.with_suffix(".out"))
    return f"{schema.rows:,} rows, {len(json.dumps(schema.to_dict())):,} bytes of schema"


def copy(path: Path, form: str) -> str:
    """The floor."""
    reader = {"csv": "read_csv", "jsonl": "read_json", "parquet": "read_parquet"}[form]
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.execute("SET enable_progress_bar = false")
        connection.execute(f"COPY (FROM {reader}('{path}')) TO '{path.with_suffix('.out')}' (FORMAT parquet)")
    return ""


def measured(run: Callable[[Path, str], str], path: Path, form: str) -> tuple[float, int, str]:
    """Seconds, peak megabytes and a remark."""
    began = time.perf_counter()
    remark = run(path, form)
    seconds = time.perf_counter() - began
    # Not getrusage's figure, which a new process inherits from the one that started it.
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return seconds, int(peak[1]) // 1024 if peak else 0, remark


def compare(path: Path, form: str) -> int:
    """Print one line; the peak memory of ingest."""
    with get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        floor, floor_peak, _ = pool.apply(measured, (copy, path, form))
        seconds, peak, remark = pool.apply(measured, (ingest, path, form))
    path.with_suffix(".out").unlink()
    print(
        f"{form:8}{path.stat().st_size / 1e6:8,.0f} MB  ingest {seconds:6.1f} s {peak:5} MB   "
        f"DuckDB COPY {floor:6.1f} s {floor_peak:5} MB   {seconds / floor:5.1f} x   {remark}",
        flush=True,
    )
    return peak


def main() -> None:
    """Measure files of the asked sizes, and JSON Lines and Parquet of the first one's rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("megabytes", nargs="*", type=float, default=[100.0, 1000.0])
    sizes = parser.parse_args().megabytes
    with TemporaryDirectory() as folder:
        peaks = []
        for size in sizes:
            path = Path(folder, "rows.csv")
            write_csv(path, size)
            peaks.append(compare(path, "csv"))
            if size == sizes[0]:
                write_jsonl(path, Path(folder, "rows.jsonl"))
                compare(Path(folder, "rows.jsonl"), "jsonl")
                copy(path, "csv")
                compare(path.with_suffix(".out").rename(Path(folder, "rows.parquet")), "parquet")
        print(f"peak memory of the largest CSV: {peaks[-1] / peaks[0]:.2f} x that of the smallest")


if __name__ == "__main__":
    main()
