"""What the package weighs and what models cost to load: `python -m benchmarks.footprint`.

Package: `infer` as `sam build` makes it, beside the same requirements as they are installed. Models: each load in a
fresh process, the file as it came beside the form that `admit` wrote; memory is what the process grew by.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.built import FUNCTION, build, layers, packages
from benchmarks.environments import ROOT
from benchmarks.reference_models import MODELS
from benchmarks.servers import bundle
from benchmarks.tables import machine, number, table

MEGABYTE = 1024 * 1024
RUN_SECONDS = 0.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=9, help="loads of each model")
    parser.add_argument("--load", nargs=2, metavar=("MODEL", "FILE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.load:
        print(json.dumps(load(*options.load)))
        return
    print(f"{machine()}\n")
    print(table(["infer", "unpacked MB", "zipped MB"], package()), end="\n\n", flush=True)
    print(table(["model", "file", "MB", "load ms", "memory MB", "run µs"], models(options.runs)))


def package() -> list[list[str]]:
    made = [build() / FUNCTION, *(build() / layer for layer in layers())]
    return [["as it is deployed", *_sizes(made)], ["as it is installed", *_sizes([packages("installed")])]]


def _sizes(folders: list[Path]) -> list[str]:
    unpacked = sum(path.stat().st_size for folder in folders for path in folder.rglob("*") if path.is_file())
    with tempfile.TemporaryDirectory() as name:
        zipped = sum(
            Path(shutil.make_archive(f"{name}/{number}", "zip", folder)).stat().st_size
            for number, folder in enumerate(folders)
        )
    return [number(unpacked / MEGABYTE), number(zipped / MEGABYTE)]


def models(runs: int) -> list[list[str]]:
    files = [(model, bundle(model) / name) for model in MODELS for name in ("model.onnx", "serving.onnx")]
    return [[model, file.name, *_row(model, file, runs)] for model, file in files if file.exists()]


def _row(model: str, file: Path, runs: int) -> list[str]:
    weights = file.with_suffix(".weights")
    size = sum(path.stat().st_size for path in (file, weights) if path.exists())
    command = [sys.executable, "-m", "benchmarks.footprint", "--load", model, str(file)]
    variables = os.environ | {"OMP_NUM_THREADS": "1"}
    found = [
        json.loads(subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, check=True).stdout)
        for _ in range(runs + 1)
    ][1:]
    return [
        number(size / MEGABYTE),
        number(statistics.median(each["load"] for each in found) * 1e3),
        number(statistics.median(each["memory"] for each in found) / MEGABYTE),
        number(min(each["run"] for each in found) * 1e6),
    ]


def load(model: str, file: str) -> dict[str, float]:
    """Seconds to load and to run one row, and the bytes that the process grew by with both."""
    from modelmill.serving.load import open_session

    arrays, outputs = MODELS[model].arrays(1), MODELS[model].outputs
    before, started = _resident(), time.perf_counter()
    session = open_session(Path(file))
    loaded = time.perf_counter() - started
    session.run(outputs, arrays)
    memory, best = _resident() - before, float("inf")
    until = time.perf_counter() + RUN_SECONDS
    while time.perf_counter() < until:
        started = time.perf_counter()
        session.run(outputs, arrays)
        best = min(best, time.perf_counter() - started)
    return {"load": loaded, "memory": memory, "run": best}


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main()
