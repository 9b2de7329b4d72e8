"""A real base model, all-MiniLM-L6-v2, on real sentences: trained further against frozen, and as an encoder.

All jobs have the same split, and default hyper-parameters but `freeze`. The encoder over HTTP is held against the same
weights in NumPy, in double precision.

    uv run python -m benchmarks.proofs.base_models [--texts 2000]
"""

import argparse
import csv
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.proofs import sources
from benchmarks.tables import machine, number, table
from modelmill_client import Client
from modelmill_client.local import LocalCloud
from tests.base_models import embed, tokens

HEADER = ["algorithm", "held-out accuracy", "log loss", "job s", "training s", "bundle MB", "µs a text"]
JOBS: dict[str, dict[str, Any]] = {
    "text_linear": {"algorithm": "text_linear"},
    "bert, frozen": {"algorithm": "bert", "hyperparameters": {"freeze": True}},
    "bert": {"algorithm": "bert"},
}
TEXTS_COMPARED = 20


def main() -> None:
    """Start the cloud, upload the model and the sentences, train, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=2000)
    count = parser.parse_args().texts
    print(machine(), flush=True)
    with tempfile.TemporaryDirectory(prefix="modelmill-proof-") as name, LocalCloud(Path(name) / "state") as cloud:
        client, folder = cloud.client, Path(name) / "minilm"
        folder.mkdir()
        began = time.monotonic()
        base = client.base_models.upload(sources.minilm(folder), wait=True)
        print(f"upload to ready: {time.monotonic() - began:.1f} s, {base['parameters']:,} parameters", flush=True)
        drawn = np.random.default_rng(0).permutation(sources.film_sentences())[:count]
        file = Path(name) / "films.csv"
        with file.open("w", newline="", encoding="utf-8") as output:
            csv.writer(output).writerows([("text", "label"), *drawn])
        dataset = client.datasets.upload(file, kind="text", target="label", wait=True)
        rows = []
        for what, options in JOBS.items():
            rows.append(train(client, dataset["dataset_id"], what, options, base["base_model_id"]))
            print(" | ".join(rows[-1]), file=sys.stderr, flush=True)
        print(table(HEADER, rows), flush=True)
        compare(client, dataset["dataset_id"], base["base_model_id"], folder, [str(text) for text, _ in drawn])


def train(client: Client, dataset_id: str, what: str, options: dict[str, Any], base_model: str) -> list[str]:
    given = options | ({"base_model": base_model} if options["algorithm"] == "bert" else {})
    job, seconds = run(client, dataset_id, what.replace(", ", "-").replace("_", "-"), given)
    test, placement = job["metrics"]["test"], client.models.version(job["model"], 1)["placement"]
    figures = [number(seconds), number(job["progress"]["elapsed_s"]), f"{placement['model_bytes'] / 1e6:.1f}"]
    return [what, f"{test['accuracy']:.4f}", f"{test['log_loss']:.4f}", *figures, number(placement["latency_us"])]


def compare(client: Client, dataset_id: str, base_model: str, folder: Path, texts: list[str]) -> None:
    """The largest difference of a number of a vector, over HTTP and in NumPy."""
    options = {"algorithm": "bert", "task": "embedding", "base_model": base_model}
    job, seconds = run(client, dataset_id, "vectors", options)
    chosen = texts[:TEXTS_COMPARED]
    found = np.array([each["vector"] for each in client.predict("vectors", chosen)["predictions"]])
    file = client.models.download("vectors", 1, "tokenizer.json", folder)
    expected = np.array([embed(folder, tokens(file.read_text("utf-8"), text)) for text in chosen])
    latency = client.models.version("vectors", 1)["placement"]["latency_us"]
    print(
        f"embedding: job {seconds:.1f} s, {latency:.0f} µs a text of {job['metrics']['test']['tokens_mean']:.0f} tokens"
    )
    print(f"largest difference of {found.size} numbers: {np.abs(found - expected).max():.2e}")


def run(client: Client, dataset_id: str, model: str, options: dict[str, Any]) -> tuple[dict[str, Any], float]:
    """A job that has ended, and its seconds."""
    began = time.monotonic()
    job = client.training_jobs.create(dataset_id, model, seed=0, **options)
    job = client.training_jobs.wait(job["job_id"], timeout=None)
    return job, time.monotonic() - began


if __name__ == "__main__":
    main()
