"""The main job on the embedded local cloud: start-up, a 100 MB upload, what the platform adds to a training job.

What lies around a job is everything from asking for it to its end that the training process does not spend itself.

    uv run python -m benchmarks.main_job
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from sklearn.datasets import load_breast_cancer

from modelmill_client import Client
from modelmill_client.local import LocalCloud

CHUNK_ROWS = 50_000
COLUMNS = 12


def main() -> None:
    """Start the cloud, upload, train, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=100)
    parser.add_argument("--algorithms", default="linear,mlp")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="modelmill-bench-") as name:
        folder = Path(name)
        cloud = LocalCloud(folder / "state")
        file = large_csv(folder, options.megabytes)
        with timed("modelmill up: ready"):
            cloud.start()
        try:
            with timed(f"{options.megabytes} MB CSV: upload to ready"):
                cloud.client.datasets.upload(file, target="y", wait=True)
            dataset = cloud.client.datasets.upload(small_csv(folder), target="y", wait=True)
            for algorithm in options.algorithms.split(","):
                train(cloud.client, dataset["dataset_id"], algorithm)
        finally:
            cloud.stop()


def train(client: Client, dataset_id: str, algorithm: str) -> None:
    """Twice: the first job finds cold functions."""
    for state in ("functions cold", "functions warm"):
        began = time.monotonic()
        job = client.training_jobs.create(dataset_id, f"bench-{algorithm}", algorithm=algorithm, seed=0)
        *_, ended = client.training_jobs.watch(job["job_id"])
        total = time.monotonic() - began
        inside = ended["progress"]["elapsed_s"]
        spent = f"{total:.2f} s in all, {inside:.2f} s of it training, {total - inside:.2f} s around it"
        print(f"{algorithm}, {state}: {spent}")


def small_csv(folder: Path) -> Path:
    frame = load_breast_cancer(as_frame=True).frame.rename(columns={"target": "y"})
    frame.to_csv(folder / "small.csv", index=False)
    return folder / "small.csv"


def large_csv(folder: Path, megabytes: int) -> Path:
    """Normal numbers and a target of two classes, as text of six decimals."""
    random = np.random.default_rng(0)
    path = folder / "large.csv"
    with path.open("w") as file:
        file.write(",".join([*(f"x{place}" for place in range(COLUMNS - 1)), "y"]) + "\n")
        while file.tell() < megabytes * 1_000_000:
            rows = random.normal(size=(CHUNK_ROWS, COLUMNS - 1))
            labels = random.choice(["yes", "no"], CHUNK_ROWS)
            file.writelines(
                ",".join(f"{value:.6f}" for value in row) + f",{label}\n"
                for row, label in zip(rows, labels, strict=True)
            )
    return path


@contextmanager
def timed(what: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    print(f"{what}: {time.monotonic() - began:.2f} s")


if __name__ == "__main__":
    main()
