"""Predictions in batches, by the SDK and by `modelmill predict`, against a real HTTP server."""

import csv
import io
import json
import os
import pty
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from modelmill_client import Client, QuotaExceeded, RetryPolicy, TooLarge
from tests.integration.client_server import Answer, FakeApi, Run, Seen, command_line

PREDICT = "/v1/models/m/predict"
COMMAND = (sys.executable, "-m", "modelmill_client", "predict", "m")


def version(inputs: list[dict[str, Any]]) -> Answer:
    signature = {"kind": "tensor", "inputs": inputs, "outputs": [], "features": []}
    return Answer({"model": "m", "version": 4, "status": "ready", "signature": signature})


def tensor(datatype: str, *shape: int, name: str = "x") -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": list(shape)}


def echo(seen: Seen) -> Answer:
    predictions = [{"y": [instance]} for instance in seen.json["instances"]]
    return Answer({"predictions": predictions, "model": "m", "version": 4})


def at_most(limit: int) -> Any:
    def reply(seen: Seen) -> Answer:
        if len(seen.json["instances"]) > limit:
            return Answer({"detail": f"send at most {limit} at once", "code": "too_large"}, 413)
        return echo(seen)

    return reply


@pytest.fixture
def api() -> Iterator[FakeApi]:
    server = FakeApi()
    server.on("GET", "/v1/models/m", Answer({"model": "m", "aliases": {"live": {"version": 4}}}))
    server.on("GET", "/v1/models/m/versions/4", version([tensor("FP32", -1, 2)]))
    server.on("POST", PREDICT, echo)
    yield server
    server.close()


@pytest.fixture
def client(api: FakeApi) -> Iterator[Client]:
    with Client(api.url, "mm_test", retry=RetryPolicy(sleep=lambda _: None)) as client:
        yield client


@pytest.fixture
def run(api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    return command_line(api, tmp_path, monkeypatch)


@pytest.fixture
def environment(api: FakeApi) -> dict[str, str]:
    return {**os.environ, "MODELMILL_URL": api.url, "MODELMILL_API_KEY": "mm_test", "TERM": "xterm", "COLUMNS": "80"}


def sent(api: FakeApi) -> list[Any]:
    return [seen.json for seen in api.requests("POST", PREDICT)]


def test_what_a_client_chooses_among_classes_is_sent(api: FakeApi, client: Client) -> None:
    client.predict("m", [{"a": 1}], top_k=2, thresholds={"yes": 0.3})
    [_] = client.predict_batches("m", [{"a": 1}], alias="canary", top_k=1, thresholds={"no": 1})

    assert sent(api) == [
        {"instances": [{"a": 1}], "top_k": 2, "thresholds": {"yes": 0.3}},
        {"instances": [{"a": 1}], "alias": "canary", "top_k": 1, "thresholds": {"no": 1}},
    ]


def test_all_batches_go_to_the_version_that_answered_first(api: FakeApi, client: Client) -> None:
    list(client.predict_batches("m", [1, 2, 3], alias="canary", batch_size=1))

    assert [(body.get("version"), body.get("alias")) for body in sent(api)] == [(None, "canary"), (4, None), (4, None)]


def test_after_a_refused_batch_later_ones_are_smaller_and_none_is_lost(api: FakeApi, client: Client) -> None:
    api.on("POST", PREDICT, at_most(30))

    answers = list(client.predict_batches("m", range(1000), batch_size=100))

    assert [value for _, answer in answers for [value] in (p["y"] for p in answer["predictions"])] == [*range(1000)]
    assert [instance for batch, _ in answers for instance in batch] == [*range(1000)]
    sizes = [len(body["instances"]) for body in sent(api)]
    assert sizes[:3] == [100, 50, 25]
    assert sum(size > 30 for size in sizes) < len(sizes) / 4


def test_batches_grow_again_when_only_some_rows_were_large(api: FakeApi, client: Client) -> None:
    api.on("POST", PREDICT, at_most(1), at_most(1), at_most(1), echo)

    list(client.predict_batches("m", range(200), batch_size=8))

    sizes = [len(body["instances"]) for body in sent(api)]
    assert sizes[:3] == [8, 4, 2]
    assert 8 in sizes[4:]


def test_one_row_that_is_too_large_ends_it(api: FakeApi, client: Client) -> None:
    api.on("POST", PREDICT, at_most(0))

    with pytest.raises(TooLarge):
        list(client.predict_batches("m", range(8), batch_size=8))

    assert [len(body["instances"]) for body in sent(api)] == [8, 4, 2, 1]


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_is_asked_again_after_the_time_that_it_names(api: FakeApi, status: int) -> None:
    pauses: list[float] = []
    api.on("POST", PREDICT, Answer({"detail": "busy", "code": "busy"}, status, {"retry-after": "3"}), echo)

    with Client(api.url, "mm_test", retry=RetryPolicy(sleep=pauses.append)) as client:
        [_] = client.predict_batches("m", [1])

    assert pauses == [3]


def test_a_month_that_is_used_up_is_told_at_once(api: FakeApi, run: Run) -> None:
    problem = {"detail": "the month's 1000 predictions are used up", "code": "quota_exceeded"}
    api.on("POST", PREDICT, Answer(problem, 429, {"retry-after": "3600"}))

    result = run("predict", "m", "--json", "[[1, 2]]")

    assert result.exit_code == 3
    assert result.stderr == (
        "error: the month's 1000 predictions are used up (429 quota_exceeded); try again in 60 min\n"
    )
    assert len(sent(api)) == 1


def test_a_used_up_month_carries_the_time_for_programs(api: FakeApi, client: Client) -> None:
    api.on("POST", PREDICT, Answer({"detail": "used up", "code": "quota_exceeded"}, 429, {"retry-after": "3600"}))

    with pytest.raises(QuotaExceeded) as caught:
        client.predict("m", [1])

    assert caught.value.retry_after == 3600


@pytest.mark.parametrize(
    ("tensor", "row", "instance"),
    [
        (tensor("FP32", -1, 2), "1, -2e3", [1.0, -2000.0]),
        (tensor("FP64", -1, -1), "1.5,2", [1.5, 2.0]),
        (tensor("INT64", -1, 2), "9007199254740993,2.0", [9007199254740993, 2]),
        (tensor("BOOL", -1, 2), "yes,0", [True, False]),
        (tensor("BYTES", -1, 2), "NA,=x", ["NA", "=x"]),
    ],
)
def test_a_csv_fills_the_one_input_of_rows_in_order(
    run: Run, api: FakeApi, tensor: dict[str, Any], row: str, instance: list[Any]
) -> None:
    api.on("GET", "/v1/models/m/versions/4", version([tensor]))

    result = run("predict", "m", "--csv", "-", "--format", "jsonl", input=f"\ufeffb,a\n{row}\n")

    assert result.exit_code == 0, result.stderr
    assert sent(api) == [{"instances": [instance], "version": 4}]
    assert [*map(type, sent(api)[0]["instances"][0])] == [*map(type, instance)]
    assert json.loads(result.stdout) == {"y": [instance]}


def test_a_model_that_takes_only_one_row_at_once_gets_one(run: Run, api: FakeApi) -> None:
    api.on("GET", "/v1/models/m/versions/4", version([tensor("FP32", 1, 2)]))

    assert run("predict", "m", "--csv", "-", input="a;b\n1;2\n3;4\n").exit_code == 0

    assert [body["instances"] for body in sent(api)] == [[[1.0, 2.0]], [[3.0, 4.0]]]


@pytest.mark.parametrize(
    ("inputs", "text", "message"),
    [
        ([tensor("FP32", -1, 2)], "a,b,truth\n1,2,3\n", "has 3 columns, but the model's input 'x' takes 2"),
        ([tensor("FP32", -1, 2)], "1.5,2\n3,4\n", "begins with '1.5', '2', expected a line with the names"),
        ([tensor("FP32", -1, 2)], "a,b\n1,2\n1,\n", "line 3: column 'b' has '', expected a number"),
        ([tensor("FP32", -1, 2)], "a,b\n1,many\n", "line 2: column 'b' has 'many', expected a number"),
        ([tensor("INT32", -1, 2)], "a,b\n1,2.5\n", "line 2: column 'b' has '2.5', expected a whole number"),
        ([tensor("UINT8", -1, 8, 8)], "a,b\n1,2\n", r"takes x [-1, 8, 8], but a CSV can only fill one input"),
        ([tensor("FP32", -1, 2), tensor("FP32", -1, 1, name="z")], "a\n1\n", "x [-1, 2], z [-1, 1], but a CSV"),
    ],
)
def test_a_csv_that_does_not_fill_the_input_is_told_so(
    run: Run, api: FakeApi, inputs: list[dict[str, Any]], text: str, message: str
) -> None:
    api.on("GET", "/v1/models/m/versions/4", version(inputs))

    result = run("predict", "m", "--csv", "-", input=text)

    assert result.exit_code == 2
    assert result.stdout == ""
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_columns_named_by_their_place_are_names(run: Run, api: FakeApi) -> None:
    assert run("predict", "m", "--csv", "-", input="0,1\n5,6\n").exit_code == 0

    assert sent(api)[0]["instances"] == [[5.0, 6.0]]


def test_a_version_that_is_not_ready_predicts_nothing(run: Run, api: FakeApi) -> None:
    failure = {"code": "unsupported_onnx", "message": "operators of the domain 'x'"}
    rejected = {"model": "m", "version": 4, "status": "rejected", "failure": failure}
    api.on("GET", "/v1/models/m/versions/4", Answer(rejected))

    result = run("predict", "m", "--csv", "-", "--version", "4", input="a,b\n1,2\n")

    assert result.exit_code == 1
    assert result.stderr == "error: version 4 of m is rejected: unsupported_onnx: operators of the domain 'x'\n"


def test_top_k_is_a_column_for_each_rank_and_no_label_an_empty_cell(run: Run, api: FakeApi) -> None:
    predictions = [
        {"label": None, "probabilities": {"-no": 0.6, "yes": 0.3}},
        {"label": "yes", "probabilities": {"yes": 0.9, "-no": 0.05}},
    ]
    api.on("POST", PREDICT, Answer({"predictions": predictions, "model": "m", "version": 4}))
    words = ["--top-k", "2", "--threshold", "a=b=0.5", "--threshold", "yes=1"]

    result = run("predict", "m", "--csv", "-", *words, input="u,top_1\n1,-2\n3,4\n")

    assert sent(api)[0]["top_k"] == 2
    assert sent(api)[0]["thresholds"] == {"a=b": 0.5, "yes": 1.0}
    assert [*csv.reader(io.StringIO(result.stdout))] == [
        ["u", "top_1", "prediction", "top_1_", "top_1_probability", "top_2", "top_2_probability"],
        ["1", "-2", "", "'-no", "0.6", "yes", "0.3"],
        ["3", "4", "yes", "yes", "0.9", "'-no", "0.05"],
    ]


@pytest.mark.parametrize("text", ["yes", "=0.5", "yes=", "yes=0", "yes=1.1", "yes=nan", "yes=much"])
def test_a_threshold_that_is_none_is_refused(run: Run, api: FakeApi, text: str) -> None:
    result = run("predict", "m", "--json", "[[1]]", "--threshold", text)

    assert result.exit_code == 2
    assert "expected LABEL=P" in result.stderr
    assert api.seen == []


def test_a_threshold_is_given_once(run: Run) -> None:
    result = run("predict", "m", "--json", "[[1]]", "--threshold", "a=1", "--threshold", "a=0.5")

    assert "names 'a' more than once" in result.stderr


def test_rows_are_answered_as_they_come(api: FakeApi, environment: dict[str, str], tmp_path: Path) -> None:
    command = [*COMMAND, "--jsonl", "-", "--batch-size", "1"]
    with subprocess.Popen(
        command, env=environment, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for value in ([1], [2]):
            process.stdin.write(f"{value}\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline()) == {"y": [value]}
        process.stdin.close()
        assert process.wait(30) == 0

    assert [body["instances"] for body in sent(api)] == [[[1]], [[2]]]


def terminal(command: list[str], folder: Path, environment: dict[str, str]) -> str:
    """What a command writes to a terminal that is its stderr; stdout goes to a file."""
    ours, theirs = pty.openpty()
    with (folder / "out").open("wb") as out, os.fdopen(ours, "rb", buffering=0) as screen:
        process = subprocess.Popen(
            command, env=environment, cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=theirs
        )
        os.close(theirs)
        shown = b""
        try:
            while chunk := screen.read(65536):
                shown += chunk
        except OSError:  # the other end has gone
            pass
        assert process.wait(30) == 0, shown
    return shown.decode()


def test_at_a_terminal_a_bar_shows_rows_and_the_share_of_the_file(
    api: FakeApi, environment: dict[str, str], tmp_path: Path
) -> None:
    def slowly(seen: Seen) -> Answer:
        time.sleep(0.15)
        return echo(seen)

    api.on("POST", PREDICT, slowly)
    (tmp_path / "rows.csv").write_text("a,b\n" + "1.25,2.75\n" * 4000)

    shown = terminal([*COMMAND, "--csv", "rows.csv", "--batch-size", "1000"], tmp_path, environment)

    assert "predict m" in shown
    assert "2,000 rows" in shown
    assert " rows/s" in shown
    shares = [int(share) for share in re.findall(r"(\d+) %", shown)]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0, 100)
    assert any(0 < share < 100 for share in shares)
    assert "4000 rows predicted by m version 4" in shown
    written = (tmp_path / "out").read_text().splitlines()
    assert len(written) == 4001
    assert written[1] == '1.25,2.75,"[[1.25, 2.75]]"'


def test_off_a_terminal_there_is_no_bar(run: Run, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n")

    assert run("predict", "m", "--csv", "rows.csv").stderr == "1 row predicted by m version 4\n"
