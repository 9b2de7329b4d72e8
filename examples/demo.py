"""From a CSV to a served model on this machine, in one go: `make demo`, or `uv run python examples/demo.py`.

Starts the local cloud with a state folder of its own, uploads scikit-learn's breast cancer data, trains, predicts
rows that training has never seen, measures latency, and stops everything again.
"""

import argparse
import csv
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelmill_client import Client, ClientError
from modelmill_client.cli.datasets import show_dataset
from modelmill_client.cli.live import StatusLine
from modelmill_client.cli.metrics import show_leaderboard, show_metrics
from modelmill_client.cli.session import Session
from modelmill_client.local import LocalCloud

MODEL = "breast-cancer"
TARGET = "diagnosis"
KEPT_BACK = (0, 19, 20)
WARM_CALLS = 50
SETTINGS: dict[str, dict[str, Any]] = {"auto": {"time_budget_s": 40}}


class DemoError(Exception):
    """The demonstration did not go as it should."""


@dataclass(frozen=True)
class Row:
    """A row that is kept back from training, and what is known to be true of it."""

    values: dict[str, float]
    truth: str


def main() -> int:
    """Runs the demonstration; the exit code is 0 only if all of it worked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--algorithm", default="auto", help="auto, or one that `modelmill algorithms` lists")
    algorithm = parser.parse_args().algorithm
    started = time.monotonic()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="modelmill-demo-") as folder:
        cloud = LocalCloud(Path(folder) / "state")
        try:
            demonstrate(algorithm, Path(folder), cloud)
        except (ClientError, DemoError) as error:
            print(f"\nThe demo failed: {error}\n{cloud.tail()}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print("\nInterrupted; everything that was started has been stopped.", file=sys.stderr)
            return 130
    say_goodbye(time.monotonic() - started)
    return 0


def demonstrate(algorithm: str, folder: Path, cloud: LocalCloud) -> None:
    """All steps in order."""
    session = Session(state=cloud.state)
    with ExitStack() as stack:
        with step("Starting the local cloud (no Docker, no AWS)"):
            client = stack.enter_context(cloud).client
        print(f"  API at {client.url}, state in {cloud.state}")
        dataset, rows = upload(client, session, folder)
        job = train(client, session, dataset, algorithm)
        version = client.models.version(MODEL, job["model_version"])
        report_version(session, version)
        predict(client, session, rows, version)


def upload(client: Client, session: Session, folder: Path) -> tuple[dict[str, Any], list[Row]]:
    """The data set, ready, and the rows that are not in it."""
    file = folder / "breast-cancer.csv"
    with step(f"Uploading {file.name} and checking it"):
        rows = write_csv(file)
        dataset = client.datasets.upload(file, target=TARGET, wait=True, timeout=60)
    columns = dataset["schema"]["columns"]
    shown = [*columns[:4], next(column for column in columns if column["name"] == TARGET)]
    show_dataset(session, {**dataset, "schema": {"columns": shown}})
    print(f"  … and {len(columns) - len(shown)} more columns")
    return dataset, rows


def write_csv(file: Path) -> list[Row]:
    """Writes all rows but those that are kept back, which it returns."""
    from sklearn.datasets import load_breast_cancer

    data = load_breast_cancer()
    names = [str(name) for name in data.feature_names]
    kept = []
    with file.open("w", newline="") as output:
        writer = csv.writer(output)
        writer.writerow([*names, TARGET])
        for number, (values, target) in enumerate(zip(data.data.tolist(), data.target.tolist(), strict=True)):
            truth = str(data.target_names[target])
            if number in KEPT_BACK:
                kept.append(Row(dict(zip(names, values, strict=True)), truth))
            else:
                writer.writerow([*values, truth])
    return kept


def train(client: Client, session: Session, dataset: dict[str, Any], algorithm: str) -> dict[str, Any]:
    """The completed job."""
    with step(f"Training {MODEL} to predict {TARGET!r} with algorithm {algorithm!r}"):
        job_id = client.training_jobs.create(
            dataset["dataset_id"], MODEL, algorithm=algorithm, hyperparameters=SETTINGS.get(algorithm), seed=7
        )["job_id"]
        job: dict[str, Any] = {}
        print()
        with StatusLine(session) as line:
            for job in client.training_jobs.watch(job_id, timeout=600):
                line.show(job)
    if job["status"] != "completed":
        logs = "".join(f"  {entry['message'].rstrip()}\n" for entry in client.training_jobs.logs(job_id))
        raise DemoError(f"job {job['job_id']} {job['status']}: {job.get('failure')}\n{logs[-3000:]}")
    show_leaderboard(session, job.get("leaderboard"))
    print("Metrics; held out are the rows that took no part in training:")
    show_metrics(session, job["metrics"])
    return job


def report_version(session: Session, version: dict[str, Any]) -> None:
    """What was registered, and how well the ONNX model agrees with the trained one."""
    parity = version["parity"]
    agreement = (
        f"{'passed' if parity['passed'] else 'failed'}: {parity['within']:.1%} of {parity['rows']} held-out rows "
        f"agree within {parity['tolerance']:g}, largest difference {parity['max_error']:.1e}"
    )
    aliases, model_bytes = ", ".join(version["aliases"]), version["files"]["model.onnx"]["bytes"]
    session.facts(
        (
            ("registered", f"{version['model']} version {version['version']}, serving as {aliases}"),
            ("algorithm", version["algorithm"]),
            ("size", f"{model_bytes / 1000:.0f} kB, ONNX with the preprocessing inside"),
            ("ONNX parity", agreement),
        )
    )
    if not parity["passed"]:
        raise DemoError("the ONNX model does not agree with the trained one")


def predict(client: Client, session: Session, rows: Sequence[Row], version: dict[str, Any]) -> None:
    """Predictions beside the truth, then latencies."""
    instances = [row.values for row in rows]
    cold, answer = timed(client, instances)
    print("\nThree rows that were not in the file:")
    session.table(
        ("predicted", "probability#", "truth"),
        (
            (p["label"], f"{p['probabilities'][p['label']]:.4f}", row.truth)
            for p, row in zip(answer["predictions"], rows, strict=True)
        ),
    )
    if answer["version"] != version["version"]:
        raise DemoError(f"version {answer['version']} answered, expected {version['version']}")
    warm = [timed(client, instances)[0] for _ in range(WARM_CALLS)]
    print(f"Latency over HTTP: cold {cold * 1000:.0f} ms (reads, verifies and loads the model),")
    print(f"                   warm {statistics.median(warm) * 1000:.1f} ms (median of {WARM_CALLS} calls)")


def timed(client: Client, instances: list[dict[str, float]]) -> tuple[float, dict[str, Any]]:
    """How many seconds a call took, and its answer."""
    started = time.perf_counter()
    answer = client.predict(MODEL, instances)
    return time.perf_counter() - started, answer


@contextmanager
def step(title: str) -> Iterator[None]:
    """Says what is being done and how long it took."""
    print(f"\n▸ {title} …", end=" ", flush=True)
    started = time.monotonic()
    yield
    print(f"done in {time.monotonic() - started:.1f} s")


def say_goodbye(seconds: float) -> None:
    """Where to go next."""
    print(f"""
▸ All of it took {seconds:.0f} s, and nothing is left running. Where to go next:
    make up                        keep it running, with its API, key and docs page
    .venv/bin/modelmill --help     upload, train and predict from the command line
    README.md, docs/guide.md       your own data, step by step""")


if __name__ == "__main__":
    sys.exit(main())
