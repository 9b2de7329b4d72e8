"""`modelmill up` as a process: what it says, what it refuses, and that nothing of it stays behind."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.local_parts import wait_until_gone

SECONDS = 60


@contextmanager
def up(state: Path, *options: str, environment: dict[str, str] | None = None) -> Iterator[subprocess.Popen]:
    """The command, stopped at the end."""
    state.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "modelmill_local.up", "--port", "0", "--aws-port", "0", "--state", str(state)]
    with (state / "up.log").open("ab") as log:
        process = subprocess.Popen(
            [*command, *options],
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def said(state: Path) -> str:
    return (state / "up.log").read_text()


def wait_until_ready(process: subprocess.Popen, state: Path) -> None:
    deadline = time.monotonic() + SECONDS
    while "ready" not in said(state):
        assert process.poll() is None, said(state)
        assert time.monotonic() < deadline, said(state)
        time.sleep(0.05)


def descendants(pid: int) -> set[int]:
    found = set()
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, path.read_text().split()):
            found |= {child} | descendants(child)
    return found


def names_of_datasets(state: Path) -> list[str]:
    headers = {"x-api-key": (state / "api_key").read_text()}
    answer = httpx.get((state / "url").read_text() + "/v1/datasets", headers=headers, timeout=30)
    return [dataset["name"] for dataset in answer.json()["datasets"]]


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    state = tmp_path_factory.mktemp("up") / "state"
    with up(state) as process:
        wait_until_ready(process, state)
        yield process, state


def test_it_says_where_it_is_and_serves(running):
    _, state = running
    text, url, key = said(state), (state / "url").read_text(), (state / "api_key").read_text()
    for part in (url, f"{url}/docs", key, str(state / "logs")):
        assert part in text
    assert (state / "api_key").stat().st_mode & 0o777 == 0o600
    assert httpx.get(f"{url}/health", timeout=30).json()["status"] == "ok"
    assert httpx.get(f"{url}/v1/datasets", timeout=30).status_code == 401
    assert names_of_datasets(state) == []


def test_nobody_else_can_read_the_state(running):
    _, state = running
    assert names_of_datasets(state) == []  # a function has run
    assert state.stat().st_mode & 0o777 == 0o700
    made = [path for path in state.rglob("*") if path.name != "up.log"]  # the test's own
    assert any(path.name == "journal.sqlite" for path in made)
    assert [path for path in made if path.stat().st_mode & 0o077] == []


def test_loopback_needs_no_warning(running):
    assert "warning" not in said(running[1])


def test_a_second_one_on_the_same_folder_is_refused(running):
    _, state = running
    command = [sys.executable, "-m", "modelmill_local.up", "--port", "0", "--aws-port", "0", "--state", str(state)]
    second = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
    assert second.returncode == 1
    assert second.stderr == f"modelmill: another modelmill is running on the state folder {state}\n"
    assert httpx.get((state / "url").read_text() + "/health", timeout=30).status_code == 200


@pytest.mark.parametrize("option", ["--port", "--aws-port"])
def test_a_port_in_use_gets_one_clear_line(tmp_path, option):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with up(tmp_path / "s", option, str(port)) as process:
            assert process.wait(SECONDS) == 1
    (line,) = said(tmp_path / "s").splitlines()
    assert f"port {port}" in line
    assert option in line


def test_a_folder_that_cannot_be_written_gets_one_clear_line(tmp_path):
    (tmp_path / "file").write_text("")
    command = [sys.executable, "-m", "modelmill_local.up", "--state", str(tmp_path / "file" / "state")]
    failed = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
    assert failed.returncode == 1
    (line,) = failed.stderr.splitlines()
    assert "cannot be written" in line


def test_data_survive_a_kill_and_a_restart_and_nothing_is_left_running(tmp_path):
    state = tmp_path / "s"
    chosen = "mm_chosen-by-the-test"
    with up(state, environment={"MODELMILL_API_KEY": chosen}) as process:
        wait_until_ready(process, state)
        assert (state / "api_key").read_text() == chosen
        url = (state / "url").read_text()
        body = {"name": "kept", "kind": "tabular", "format": "csv"}
        created = httpx.post(f"{url}/v1/datasets", json=body, headers={"x-api-key": chosen}, timeout=30)
        assert created.status_code == 201
        everything = descendants(process.pid)
        assert len(everything) >= 2
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        wait_until_gone(everything)
    (state / "up.log").unlink()
    with up(state) as process:
        wait_until_ready(process, state)
        assert (state / "api_key").read_text() == chosen
        assert names_of_datasets(state) == ["kept"]
        everything = descendants(process.pid)
        os.kill(process.pid, signal.SIGINT)
        assert process.wait(20) == 0
        wait_until_gone(everything)
    assert said(state).endswith("modelmill has stopped\n")
    assert not (state / "url").exists()


def test_it_ends_when_its_aws_ends(tmp_path):
    state = tmp_path / "s"
    with up(state) as process:
        wait_until_ready(process, state)
        aws = [pid for pid in descendants(process.pid) if b"aws_server" in Path(f"/proc/{pid}/cmdline").read_bytes()]
        os.kill(aws[0], signal.SIGKILL)
        assert process.wait(20) == 1
    assert "the local AWS has ended" in said(state)


def revoke_first_key(state: Path) -> str:
    secret, url = (state / "api_key").read_text(), (state / "url").read_text()
    headers = {"x-api-key": secret}
    (key,) = httpx.get(f"{url}/v1/keys", headers=headers, timeout=30).json()["keys"]
    assert httpx.delete(f"{url}/v1/keys/{key['key_id']}", headers=headers, timeout=30).status_code == 204
    return secret


def test_a_revoked_first_key_stays_revoked(tmp_path):
    state = tmp_path / "s"
    with up(state) as process:
        wait_until_ready(process, state)
        revoked = revoke_first_key(state)
    (state / "up.log").unlink()
    with up(state, environment={"MODELMILL_API_KEY": revoked}) as process:
        assert process.wait(SECONDS) == 1
    (line,) = said(state).splitlines()
    assert "the key in MODELMILL_API_KEY cannot be used: this API key has been revoked" in line
    (state / "up.log").unlink()
    with up(state, "--bind", "0.0.0.0") as process:
        wait_until_ready(process, state)
        kept = state / "api_key"
        assert kept.read_text() != revoked
        assert kept.read_text() in said(state)
        assert kept.stat().st_mode & 0o777 == 0o600
        assert names_of_datasets(state) == []
        url = (state / "url").read_text()
        assert httpx.get(f"{url}/v1/datasets", headers={"x-api-key": revoked}, timeout=30).status_code == 401
        assert "warning: with --bind 0.0.0.0" in said(state)
