"""The `modelmill` command against a real HTTP server on this machine."""

import csv
import io
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.integration.client_server import Answer, FakeApi, Run, Seen, command_line

COLUMNS = [
    {"name": "radius", "type": "number", "nulls": 1, "distinct": 3, "min": 1.0, "max": 3.5, "mean": 2.0},
    {"name": "kind", "type": "category", "nulls": 0, "distinct": 1, "top": [{"value": "[red]", "count": 4}]},
]
DATASET = {
    "dataset_id": "ds-1",
    "name": "cells",
    "kind": "tabular",
    "format": "csv",
    "target": "kind",
    "status": "ready",
    "created_at": "2026-01-02T03:04:05Z",
    "rows": 4,
    "duplicate_rows": 0,
    "bytes": 1234,
    "schema": {"columns": COLUMNS},
    "problems": [],
}
JOB = {
    "job_id": "job-1",
    "model": "cells",
    "dataset_id": "ds-1",
    "target": "kind",
    "task": "binary",
    "algorithm": "linear",
    "seed": 7,
    "compute": {"instance_type": "ml.m5.xlarge", "instance_count": 2, "spot": True, "max_runtime_s": 600},
    "created_at": "2026-01-02T03:04:05Z",
}
PROGRESS = {"algorithm": "mlp", "phase": "fit", "step": 3, "total": 50, "metrics": {"loss": 0.25}}
TEST_METRICS = {
    "accuracy": 0.9375,
    "roc_auc": None,
    "confusion_matrix": [[5, 1], [0, 6]],
    "per_class": {"a": {"f1": 0.9}, "b": {"f1": 0.9}},
}
DONE = {**JOB, "status": "completed", "model_version": 3, "metrics": {"test": TEST_METRICS, "train": {"accuracy": 1.0}}}
FAILED = {**JOB, "status": "failed", "failure": {"code": "out_of_memory", "message": "the job used 16 GB"}}
VERSION = {
    "model": "cells",
    "version": 3,
    "status": "ready",
    "task": "binary",
    "algorithm": "linear",
    "created_at": "2026-01-02T03:04:05Z",
    "bytes": 2048,
    "aliases": ["live"],
    "metrics": {"test": TEST_METRICS},
    "labels": ["a", "b"],
    "parity": {"passed": True, "rows": 100, "max_error": 2e-7},
    "signature": {
        "kind": "tabular",
        "inputs": [
            {"name": "numeric", "datatype": "FP64", "shape": [-1, 1]},
            {"name": "categorical", "datatype": "BYTES", "shape": [-1, 1]},
        ],
        "outputs": [
            {"name": "label", "datatype": "BYTES", "shape": [-1]},
            {"name": "probabilities", "datatype": "FP32", "shape": [-1, 2]},
        ],
        "features": [
            {"name": "radius", "type": "number", "input": "numeric", "index": 0},
            {"name": "kind", "type": "category", "input": "categorical", "index": 0},
        ],
    },
    "dropped": [{"column": "id", "reason": "id-like"}],
    "leaderboard": [{"algorithm": "linear", "status": "done", "score": 0.9, "metric": "roc_auc", "seconds": 1.0}],
    "lineage": {"dataset_id": "ds-1", "job_id": "job-1"},
}
MODEL = {
    "model": "cells",
    "latest_version": 3,
    "updated_at": "2026-01-02T03:04:05Z",
    "aliases": {"live": {"version": 3, "revision": 1, "updated_at": "2026-01-02T03:04:05Z"}},
}
ENTRY = {
    "entry_id": "move-1",
    "alias": "live",
    "kind": "promote",
    "from_version": None,
    "to_version": 3,
    "by": "key-1",
    "reason": "better",
    "at": "2026-01-02T03:04:05Z",
}
USAGE = {
    "quotas": {"datasets": {"used": 1, "limit": 100}, "upload": {"limit": 9}},
    "compute": {"instance_types": ["ml.m5.xlarge"], "max_runtime_s": 3600},
}
KEY = {"key_id": "key-1", "name": "ci", "scopes": ["read"], "created_at": "2026-01-02T03:04:05Z"}
LINEAR = {
    "name": "linear",
    "title": "Linear model",
    "summary": "Least squares.",
    "tasks": ["regression"],
    "hyperparameters": {
        "properties": {
            "C": {"type": "number", "minimum": 0, "maximum": 10, "default": 1.0, "description": "Strength."},
            "depth": {"type": ["integer", "null"], "enum": [1, None], "default": None, "description": "Depth."},
        }
    },
}


@pytest.fixture
def api() -> Iterator[FakeApi]:
    server = FakeApi()
    server.on("GET", "/v1/datasets", Answer({"datasets": [DATASET]}))
    server.on("GET", "/v1/datasets/ds-1", Answer(DATASET))
    server.on("GET", "/v1/training-jobs", Answer({"jobs": [DONE]}))
    server.on("GET", "/v1/training-jobs/job-1", Answer(DONE))
    server.on("GET", "/v1/models", Answer({"models": [MODEL]}))
    server.on("GET", "/v1/models/cells", Answer(MODEL))
    server.on("GET", "/v1/models/cells/versions", Answer({"versions": [{**VERSION, "metrics": {"accuracy": 0.9375}}]}))
    server.on("GET", "/v1/models/cells/versions/3", Answer(VERSION))
    server.on("GET", "/v1/models/cells/ledger", Answer({"entries": [ENTRY]}))
    server.on("GET", "/v1/keys", Answer({"keys": [KEY]}))
    server.on("GET", "/v1/usage", Answer(USAGE))
    server.on("GET", "/v1/algorithms", Answer({"algorithms": [LINEAR]}))
    yield server
    server.close()


@pytest.fixture
def run(api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    return command_line(api, tmp_path, monkeypatch)


ALL = [
    [],
    ["up"],
    ["datasets"],
    *(["datasets", name] for name in ("upload", "wait", "list", "show", "delete")),
    *([name] for name in ("train", "jobs", "stop", "logs", "algorithms")),
    ["models", "upload"],
    *(
        [name]
        for name in ("models", "versions", "promote", "rollback", "ledger", "report", "download", "delete", "predict")
    ),
    ["keys"],
    *(["keys", name] for name in ("create", "list", "revoke")),
    ["usage"],
]


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_every_command_explains_itself(run: Run, words: list[str]) -> None:
    result = run(*words, "--help")

    assert result.exit_code == 0
    assert "Usage:" in result.stdout


LISTS = [
    (["datasets", "list"], [DATASET], ["ds-1", "1.2 kB"]),
    (["jobs"], [DONE], ["job-1", "completed"]),
    (["models"], [MODEL], ["live → 3"]),
    (["versions", "cells"], None, ["accuracy 0.9375"]),
    (["versions", "cells", "3"], VERSION, ["passed: largest error 2e-07", "id-like", "0.9375"]),
    (["ledger", "cells"], [ENTRY], ["better"]),
    (["keys", "list"], [KEY], ["key-1"]),
    (["usage"], None, ["datasets", "100", "ml.m5.xlarge"]),
    (["algorithms"], [LINEAR], ["Least squares."]),
    (["algorithms", "linear"], LINEAR, ["from 0 to 10", "integer or null"]),
    (["datasets", "show", "cells"], DATASET, ["1 to 3.5, mean 2", "[red] (4)"]),
    (["datasets", "wait", "ds-1"], None, []),
    (["jobs", "job-1"], DONE, ["held out", "truth \\ predicted", "2 × ml.m5.xlarge (spot), at most 600 s"]),
]


@pytest.mark.parametrize(("words", "value", "shown"), LISTS, ids=[" ".join(case[0]) for case in LISTS])
def test_results_are_tables_for_people_and_json_for_programs(
    run: Run, api: FakeApi, words: list[str], value: object, shown: list[str]
) -> None:
    if words[-1] == "ds-1":
        api.on("GET", "/v1/datasets", Answer({"datasets": [{**DATASET, "name": "ds-1"}]}))

    for_people = run(*words)
    for_programs = run(*words, "--json")

    assert for_people.exit_code == for_programs.exit_code == 0
    assert all(text in for_people.stdout for text in shown)
    parsed = json.loads(for_programs.stdout)
    assert value is None or parsed == value
    assert for_programs.stderr == ""


def test_upload_waits_and_shows_the_columns(run: Run, api: FakeApi, tmp_path: Path) -> None:
    form = {"url": f"{api.url}/store", "fields": {"key": "k"}}
    api.on("POST", "/v1/datasets", Answer({**DATASET, "status": "awaiting_upload", "upload": form}, 201))
    api.on("POST", "/store", Answer(status=204))
    (tmp_path / "cells.csv").write_text("radius,kind\n1,a\n")

    shown = run("datasets", "upload", "cells.csv", "--target", "kind", "--wait")
    parsed = json.loads(run("datasets", "upload", "cells.csv", "--json").stdout)

    assert shown.exit_code == 0
    assert "radius" in shown.stdout
    assert "upload" not in parsed


def test_a_rejected_file_is_exit_code_1_with_its_problems(run: Run, api: FakeApi, tmp_path: Path) -> None:
    problem = {"code": "ragged_row", "message": "line 3 has 2 cells, expected 4", "line": 3}
    rejected = {**DATASET, "status": "rejected", "problems": [problem]}
    form = {"url": f"{api.url}/store", "fields": {"key": "k"}}
    api.on("POST", "/v1/datasets", Answer({**DATASET, "upload": form}, 201))
    api.on("POST", "/store", Answer(status=204))
    api.on("GET", "/v1/datasets/ds-1", Answer(rejected))
    (tmp_path / "cells.csv").write_text("a\n")

    shown = run("datasets", "upload", "cells.csv", "--wait")
    parsed = run("datasets", "upload", "cells.csv", "--wait", "--json")

    assert (shown.exit_code, parsed.exit_code) == (1, 1)
    assert "ragged_row" in shown.stdout
    assert json.loads(parsed.stdout)["problems"] == [problem]
    assert parsed.stderr.startswith("error: dataset ds-1 is rejected")


def test_train_sends_what_was_set_and_watches_to_the_metrics(run: Run, api: FakeApi) -> None:
    api.on("POST", "/v1/training-jobs", Answer({**JOB, "status": "queued"}, 202))
    running = {**JOB, "status": "training", "progress": PROGRESS}
    api.on("GET", "/v1/training-jobs/job-1", Answer(running), Answer(DONE))

    result = run(
        *("train", "cells", "--model", "cells", "--target", "kind", "--algorithm", "mlp", "--seed", "7"),
        *("--set", "layers=[64, 32]", "--set", "activation=relu", "--set", "dropout=0.1"),
        *("--features", 'radius, "a, b"', "--promote", "--watch"),
        *("--instance-type", "ml.m5.xlarge", "--instance-count", "2", "--spot", "--max-runtime", "600"),
        *("--quantize", "int8", "--max-metric-loss", "0.02"),
    )

    assert result.exit_code == 0
    assert api.requests("POST", "/v1/training-jobs")[0].json == {
        "dataset_id": "ds-1",
        "model": "cells",
        "target": "kind",
        "algorithm": "mlp",
        "seed": 7,
        "hyperparameters": {"layers": [64, 32], "activation": "relu", "dropout": 0.1},
        "features": ["radius", "a, b"],
        "promote": True,
        "compute": {"instance_type": "ml.m5.xlarge", "instance_count": 2, "spot": True, "max_runtime_s": 600},
        "optimize": {"quantize": "int8", "max_metric_loss": 0.02},
    }
    assert "training · mlp fit 3/50 · loss 0.25" in result.stderr
    assert "held out" in result.stdout
    assert "0.9375" in result.stdout


SPLIT = {"train": 398, "validation": 92, "test": 122, "missing_target_rows": 388}
LEFT_OUT = "388 rows (39 %) have no value in 'kind' and were left out\n"


@pytest.mark.parametrize(
    ("split", "remarks"),
    [
        (SPLIT, LEFT_OUT),
        ({**SPLIT, "missing_target_rows": 1}, "1 row (under 1 %) has no value in 'kind' and was left out\n"),
        ({**SPLIT, "test": 29, "missing_target_rows": 0}, "the held-out metrics rest on few rows (29); "),
        ({**SPLIT, "test": 30, "missing_target_rows": 0}, None),
        (None, None),
    ],
)
def test_a_result_says_which_rows_are_behind_it(
    run: Run, api: FakeApi, split: dict[str, int] | None, remarks: str | None
) -> None:
    api.on("POST", "/v1/training-jobs", Answer({**JOB, "status": "queued"}, 202))
    api.on("GET", "/v1/training-jobs/job-1", Answer({**DONE, "split": split}))
    api.on("GET", "/v1/models/cells/versions/3", Answer({**VERSION, "target": "kind", "split": split}))

    for words in (["train", "cells", "--model", "cells", "--watch"], ["jobs", "job-1"], ["versions", "cells", "3"]):
        shown = run(*words).stdout
        if remarks is None:
            assert "left out" not in shown
            assert "few rows" not in shown
        else:
            assert remarks in shown


COSTS = {"model_bytes": 4000, "load_ms": 1.5, "latency_us": 20.5, "batch_latency_us": 90.0, "metric": 0.9}
OPTIMIZATION = {
    "asked": {"quantize": "int8", "max_metric_loss": 0.01},
    "kept": False,
    "reason": "f1 on held-out rows goes from 0.9 to 0.8, more than the 0.01 allowed",
    "batch_rows": 32,
    "metric": "f1",
    "metric_loss": 0.1,
    "parity": {"passed": True},
    "before": COSTS,
    "after": {**COSTS, "model_bytes": 1100, "metric": 0.8},
}


def test_a_smaller_form_is_shown_beside_the_model_with_the_reason(run: Run, api: FakeApi) -> None:
    report = {"warnings": [], "metrics": {}, "pictures": [], "optimization": OPTIMIZATION}
    api.on("GET", "/v1/training-jobs/job-1", Answer({**DONE, "optimize": {"quantize": "int8", "result": OPTIMIZATION}}))
    api.on("GET", "/v1/models/cells/versions/3", Answer({**VERSION, "optimization": OPTIMIZATION}))
    api.on("GET", "/v1/models/cells/versions/3/report", Answer(report))

    for words in (["jobs", "job-1"], ["versions", "cells", "3"], ["report", "cells", "3"]):
        shown = run(*words).stdout
        assert "int8 is not kept: f1 on held-out rows goes from 0.9 to 0.8" in shown
        assert re.search(r"bytes +4000 +1100", shown)
        assert re.search(r"f1, held out +0.9 +0.8", shown)


def test_a_watched_job_that_fails_is_exit_code_1(run: Run, api: FakeApi) -> None:
    api.on("POST", "/v1/training-jobs", Answer({**JOB, "status": "queued"}, 202))
    api.on("GET", "/v1/training-jobs/job-1", Answer(FAILED))

    result = run("train", "cells", "--model", "cells", "--watch", "--json")

    assert result.exit_code == 1
    assert json.loads(result.stdout) == FAILED
    assert "out_of_memory: the job used 16 GB" in result.stderr


def test_stop_logs_promote_rollback_and_keys(run: Run, api: FakeApi) -> None:
    api.on("POST", "/v1/training-jobs/job-1/stop", Answer({**JOB, "status": "training"}, 202))
    candidate = {"modelmill": "candidate", "algorithm": "mlp", "status": "done", "score": 0.5, "metric": "r2"}
    reports = [{"modelmill": "progress", **PROGRESS}, candidate, {"modelmill": "new"}]
    messages = ["epoch 1 \x1b[2Jdone\n", *(json.dumps(report) for report in reports)]
    lines = [{"timestamp": 1_000, "message": message} for message in messages]
    api.on("GET", "/v1/training-jobs/job-1/logs", Answer({"lines": lines, "next_cursor": None}))
    move = {"alias": "live", "version": 3, "revision": 4, "previous_version": 2}
    api.on("PUT", "/v1/models/cells/aliases/live", Answer(move))
    api.on("POST", "/v1/models/cells/rollback", Answer({**move, "version": 2, "previous_version": 3}))
    api.on("POST", "/v1/keys", Answer({**KEY, "key": "mm_secret"}, 201))
    api.on("DELETE", "/v1/keys/key-1", Answer(status=204))
    api.on("DELETE", "/v1/datasets/ds-1", Answer(status=204))

    assert run("stop", "job-1").exit_code == 0
    logged = run("logs", "job-1")
    assert logged.stdout.startswith("00:00:01 epoch 1 ")
    assert logged.stdout.splitlines()[1:3] == ["00:00:01 mlp fit 3/50 · loss 0.25", "00:00:01 mlp done · r2 0.5"]
    assert "\x1b" not in logged.stdout
    assert [json.loads(line) for line in run("logs", "job-1", "--json").stdout.splitlines()] == lines
    assert "live → version 3 (was 2)" in run("promote", "cells", "3", "--reason", "better").stdout
    assert "live → version 2 (was 3)" in run("rollback", "cells", "--reason", "worse").stdout
    assert run("keys", "create", "ci", "--scope", "read", "--scope", "predict").stdout == "mm_secret\n"
    assert api.requests("POST", "/v1/keys")[0].json["scopes"] == ["read", "predict"]
    assert run("keys", "revoke", "key-1").exit_code == 0
    assert run("datasets", "delete", "cells").exit_code == 0


def test_a_promotion_that_changes_nothing_says_so(run: Run, api: FakeApi) -> None:
    move = {"alias": "live", "version": 3, "revision": 4, "previous_version": 3}
    api.on("PUT", "/v1/models/cells/aliases/live", Answer(move))

    assert run("promote", "cells", "3", "--reason", "again").stdout == "cells: live → version 3 already\n"


def test_a_version_or_a_whole_model_is_deleted(run: Run, api: FakeApi) -> None:
    api.on("DELETE", "/v1/models/cells", Answer(status=204))
    api.on("DELETE", "/v1/models/cells/versions/2", Answer(status=204))

    assert run("delete", "cells", "2", "--yes").stdout == "version 2 of cells is deleted\n"
    assert json.loads(run("delete", "cells", "--json").stdout) == {"model": "cells", "version": None, "deleted": True}
    assert [seen.path for seen in api.seen] == ["/v1/models/cells/versions/2", "/v1/models/cells"]


def test_nothing_is_deleted_when_the_answer_is_no(run: Run, api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = SimpleNamespace(stdin=SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr("modelmill_client.cli.ask.sys", terminal)

    result = run("delete", "cells", input="n\n")

    assert result.exit_code == 1
    assert "Delete cells with all its versions?" in result.stderr
    assert api.seen == []


def predict(seen: Seen) -> Answer:
    predictions = [{"label": "=a", "probabilities": {"=a": 0.75, "b": 0.25}} for _ in seen.json["instances"]]
    return Answer({"predictions": predictions, "model": "cells", "version": 3})


def test_predicting_a_csv_converts_cells_and_batches_rows(run: Run, api: FakeApi, tmp_path: Path) -> None:
    api.on("POST", "/v1/models/cells/predict", predict)
    (tmp_path / "rows.csv").write_text("kind,truth,radius\n007,b,1.5\n,b,\n=1,b,-2\n")

    result = run("predict", "cells", "--csv", "rows.csv", "--batch-size", "2")

    assert result.exit_code == 0
    sent = [seen.json for seen in api.requests("POST", "/v1/models/cells/predict")]
    assert [instance for body in sent for instance in body["instances"]] == [
        {"radius": 1.5, "kind": "007"},
        {"radius": None, "kind": None},
        {"radius": -2.0, "kind": "=1"},
    ]
    assert {body["version"] for body in sent} == {3}
    header, *rows = csv.reader(io.StringIO(result.stdout))
    assert header == ["kind", "truth", "radius", "prediction", "probability_=a", "probability_b"]
    assert rows[2] == ["'=1", "b", "-2", "'=a", "0.75", "0.25"]
    assert "not used by the model: truth" in result.stderr
    assert "3 rows predicted by cells version 3" in result.stderr


@pytest.mark.parametrize("content", [b"radius,kind\n1,\xff\n", b"\xff\xferadius", b"kind,radius\n" + b"x" * 200_000])
def test_a_file_that_is_no_csv_is_told_so(run: Run, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "rows.csv").write_bytes(content)

    result = run("predict", "cells", "--csv", "rows.csv")

    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1


def test_predictions_go_to_a_file_in_the_format_of_its_suffix(run: Run, api: FakeApi, tmp_path: Path) -> None:
    api.on("POST", "/v1/models/cells/predict", predict)
    (tmp_path / "rows.jsonl").write_text('{"radius": 1}\n{"radius": 2}\n')

    assert run("predict", "cells", "--jsonl", "rows.jsonl", "--out", "p.csv").exit_code == 0
    assert run("predict", "cells", "--json", '{"radius": 1}', "--out", "p.json").exit_code == 0
    assert run("predict", "cells", "--json", "-", input='[{"radius": 1}]').exit_code == 0

    assert (tmp_path / "p.csv").read_text().splitlines() == ["prediction,probability_=a,probability_b"] + [
        "'=a,0.75,0.25"
    ] * 2
    assert json.loads((tmp_path / "p.json").read_text())["version"] == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["p.csv", "p.json", "rows.jsonl"]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["predict", "cells"], 2, "got 0 inputs, expected exactly one of --csv, --jsonl, --json and --image"),
        (["predict", "cells", "--json", "{}", "--version", "1", "--alias", "x"], 2, "at most one"),
        (["predict", "cells", "--csv", "none.csv"], 2, "cannot read none.csv"),
        (["predict", "cells", "--json", "[]"], 2, "no rows"),
        (["predict", "cells", "--json", "{}", "--out", "p.xls"], 2, "'p.xls', expected the suffix .csv, .json, .jsonl"),
        (["jobs", "--watch"], 2, "expected its id"),
        (["delete", "cells", "3"], 3, "404 not_found"),
        (["train", "cells", "--model", "m", "--set", "depth"], 2, "expected NAME=VALUE"),
        (["train", "cells", "--model", "m", "--max-metric-loss", "0.1"], 2, "is for --quantize int8"),
        (["train", "nothing", "--model", "m"], 3, "no dataset with the id or name 'nothing'"),
        (["algorithms", "svm"], 2, "expected one of linear"),
        (["jobs", "job-9"], 3, "404 not_found"),
    ],
)
def test_mistakes_are_one_line_and_an_exit_code(run: Run, words: list[str], code: int, message: str) -> None:
    result = run(*words)

    assert result.exit_code == code
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert message in result.stderr


@pytest.mark.parametrize("words", [["nonsense"], ["train"], ["versions", "m", "zero"], ["datasets", "upload", "x.csv"]])
def test_wrong_usage_is_exit_code_2(run: Run, words: list[str]) -> None:
    assert run(*words).exit_code == 2


def test_a_bad_key_says_where_keys_come_from(run: Run, api: FakeApi) -> None:
    api.on("GET", "/v1/usage", Answer({"detail": "this API key is unknown", "code": "unauthenticated"}, 401))

    result = run("usage")

    assert result.exit_code == 3
    assert "MODELMILL_API_KEY" in result.stderr


def test_a_server_that_is_down_is_exit_code_4_and_says_how_to_start_it(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MODELMILL_URL")
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    (tmp_path / ".modelmill").mkdir()
    (tmp_path / ".modelmill" / "url").write_text(url)

    result = run("models")

    assert result.exit_code == 4
    assert "modelmill up" in result.stderr


def test_waiting_in_vain_is_exit_code_5(run: Run, api: FakeApi) -> None:
    api.on("GET", "/v1/datasets/ds-1", Answer({**DATASET, "status": "validating"}))

    assert run("datasets", "wait", "cells", "--timeout", "0.05").exit_code == 5


def test_up_without_the_local_cloud_says_what_to_install(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "modelmill_local.up", None)

    result = run("up")

    assert result.exit_code == 2
    assert "make up" in result.stderr


def test_a_reader_that_leaves_early_is_not_an_error(api: FakeApi, tmp_path: Path) -> None:
    api.on("GET", "/v1/datasets", Answer({"datasets": [DATASET] * 5000}))
    command = [sys.executable, "-c", "from modelmill_client.cli import main; main()", "datasets", "list", "--json"]
    environment = {**os.environ, "MODELMILL_URL": api.url, "MODELMILL_API_KEY": "mm_test"}

    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(10)
        process.stdout.close()
        errors = process.stderr.read()

    assert errors == b""


def test_help_does_not_load_the_http_library() -> None:
    code = (
        "import sys; from modelmill_client.cli.app import app; "
        "print([name for name in ('httpx', 'rich.table') if name in sys.modules])"
    )

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"[]\n"
