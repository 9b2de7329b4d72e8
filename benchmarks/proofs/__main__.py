"""Jobs with default hyper-parameters on the local cloud against plain scripts, on rows that neither has seen.

Scripts get the very split that the job has dealt (`split.parquet` of the version): they learn from its training rows,
nets stop by its validation rows, and both are compared on its test rows, which the platform predicts over HTTP. Of time
series the last year is held back instead.

    uv run python -m benchmarks.proofs [CASE[.ALGORITHM] ...]
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from pyarrow.parquet import read_table

from benchmarks.environments import ROOT
from benchmarks.proofs.cases import CASES, Case, Data
from benchmarks.tables import machine, number, table
from modelmill_client import Client
from modelmill_client.local import LocalCloud

HEADER = [
    *("data", "algorithm", "metric", "modelmill", "plain script", "difference", "noise"),
    *("job s", "training s", "script s", "training / script"),
]
PARTS = ("train", "validation", "test")


def main() -> None:
    """Start the cloud, run what is asked for, print a row for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wanted", nargs="*", help="such as digits or reviews.lstm; all by default")
    wanted = parser.parse_args().wanted
    print(machine(), flush=True)
    rows = []
    with tempfile.TemporaryDirectory(prefix="modelmill-proof-") as name, LocalCloud(Path(name) / "state") as cloud:
        for case, algorithms in _chosen(wanted):
            folder = Path(name) / case.name
            folder.mkdir()
            data = case.make(folder)
            dataset = cloud.client.datasets.upload(data.uploaded, kind=case.kind, target=case.target, wait=True)
            for algorithm in algorithms:
                rows.append(prove(cloud.client, dataset["dataset_id"], case, algorithm, data, folder))
                print(" | ".join(rows[-1]), file=sys.stderr, flush=True)
    print(table(HEADER, rows))


def prove(client: Client, dataset_id: str, case: Case, algorithm: str, data: Data, folder: Path) -> list[str]:
    """A line of the table: a job, its predictions over HTTP, and the script's."""
    began = time.monotonic()
    job = client.training_jobs.create(
        dataset_id, f"{case.name}-{algorithm}".replace("_", "-"), algorithm=algorithm, seed=0, **data.options
    )
    job = client.training_jobs.wait(job["job_id"])
    seconds = time.monotonic() - began
    compared = write_parts(client, job, case, data, folder)
    truth = [data.truth[row] for row in compared]
    ours = predict(client, job, [data.instances[row] for row in compared], case)
    theirs, script_seconds = run_script(case.scripts[algorithm], data.uploaded, folder)
    score, inside = case.score, job["progress"]["elapsed_s"]
    scores = score.of(truth, ours), score.of(truth, theirs)
    figures = [*scores, scores[0] - scores[1], score.noise(truth, ours, theirs)]
    times = [number(each) for each in (seconds, inside, script_seconds)]
    shown = [f"{figures[0]:.4f}", f"{figures[1]:.4f}", f"{figures[2]:+.4f}", f"{figures[3]:.4f}"]
    return [case.name, algorithm, score.name, *shown, *times, f"{inside / script_seconds:.2f}"]


def write_parts(client: Client, job: dict[str, Any], case: Case, data: Data, folder: Path) -> list[int]:
    """A file for each part of the job's split; the rows that are compared."""
    if case.kind == "timeseries":
        return list(range(len(data.instances)))
    split = read_table(client.models.download(job["model"], job["model_version"], "split.parquet", folder)).to_pydict()
    rows: dict[str, list[int]] = {part: [] for part in PARTS}
    for row, part in zip(split["row"], split["part"], strict=True):
        rows[part].append(row)
    for part in PARTS:
        data.write(folder / f"{part}{data.uploaded.suffix}", np.array(rows[part]))
    return rows["test"]


def predict(client: Client, job: dict[str, Any], instances: list[Any], case: Case) -> list[Any]:
    """What the model answers over HTTP."""
    answers = client.predict_batches(job["model"], instances, version=job["model_version"])
    return [case.score.answer(each) for _, answer in answers for each in answer["predictions"]]


def run_script(command: list[str], uploaded: Path, folder: Path) -> tuple[list[Any], float]:
    """The predictions of a plain script in a process of its own, and its seconds."""
    script, *arguments = command
    out = folder / "predictions.json"
    began = time.monotonic()
    subprocess.run(
        [sys.executable, "-m", f"benchmarks.proofs.plain.{script}", uploaded, out, *arguments],
        cwd=ROOT,
        check=True,
        stdout=sys.stderr,
    )
    return json.loads(out.read_text()), time.monotonic() - began


def _chosen(wanted: list[str]) -> Iterator[tuple[Case, list[str]]]:
    known = {f"{case.name}.{algorithm}" for case in CASES for algorithm in case.scripts} | {each.name for each in CASES}
    if unknown := set(wanted) - known:
        sys.exit(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}")
    for case in CASES:
        whole = not wanted or case.name in wanted
        algorithms = [each for each in case.scripts if whole or f"{case.name}.{each}" in wanted]
        if algorithms:
            yield case, algorithms


if __name__ == "__main__":
    main()
