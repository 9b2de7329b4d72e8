"""A function of the local cloud fails, ends and overflows as it would on Lambda."""

import json
import os
import threading
import time
from pathlib import Path

import pytest

from modelmill_local.functions import EventTooLargeError, Function
from tests.local_parts import toy_function

CODE = """
import os, sys, time

def handler(event, context):
    match event.get("do"):
        case "raise":
            raise ValueError(event["text"] * event.get("times", 1))
        case "exit":
            os._exit(7)
        case "kill":
            os.kill(os.getpid(), 9)
        case "sleep":
            time.sleep(event["seconds"])
        case "large":
            return "x" * event["bytes"]
        case "context":
            return {
                "name": context.function_name,
                "remaining": context.get_remaining_time_in_millis(),
                "request": context.aws_request_id,
                "environment": {name: os.environ.get(name) for name in event["names"]},
            }
    return {"pid": os.getpid(), "event": event}
"""


@pytest.fixture(scope="module")
def function(tmp_path_factory):
    with toy_function(tmp_path_factory.mktemp("toy"), CODE, timeout=2, environment={"MODELMILL_TABLE": "t"}) as made:
        yield made


def invoke(function: Function, **event):
    outcome = function.invoke(json.dumps(event).encode())
    return outcome, json.loads(outcome.payload)


def test_an_event_comes_back_as_the_handler_returns_it(function):
    outcome, answer = invoke(function, text="你好", number=1.5)
    assert not outcome.failed
    assert answer["event"] == {"text": "你好", "number": 1.5}
    assert "你好".encode() in outcome.payload, "Lambda does not escape non-ASCII answers"


def test_an_environment_is_used_again(function):
    assert invoke(function)[1]["pid"] == invoke(function)[1]["pid"]


def test_the_context_and_the_environment_are_lambdas(function):
    names = ["AWS_EXECUTION_ENV", "AWS_REGION", "MODELMILL_TABLE", "HOME", "LAMBDA_TASK_ROOT"]
    _, answer = invoke(function, do="context", names=names)
    assert answer["name"] == "toy"
    assert 0 < answer["remaining"] <= 2000
    assert answer["environment"] == {
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
        "AWS_REGION": "us-east-1",
        "MODELMILL_TABLE": "t",
        "HOME": None,
        "LAMBDA_TASK_ROOT": str(function.spec.folder),
    }


@pytest.mark.parametrize("times", [1, 100_000], ids=["short", "of 400 KB"])
def test_an_exception_is_described_and_the_environment_lives_on(function, times):
    before = invoke(function)[1]["pid"]
    outcome, answer = invoke(function, do="raise", text="oops", times=times)
    assert outcome.failed
    assert (answer["errorType"], answer["errorMessage"]) == ("ValueError", "oops" * times)
    assert answer["stackTrace"]
    assert invoke(function)[1]["pid"] == before


@pytest.mark.parametrize(("do", "how"), [("exit", "exit status 7"), ("kill", "signal: SIGKILL")])
def test_a_process_that_ends_is_told_and_replaced(function, do, how):
    outcome, answer = invoke(function, do=do)
    assert outcome.failed
    assert answer["errorType"] == "Runtime.ExitError"
    assert answer["errorMessage"].endswith(f"Runtime exited with error: {how}")
    assert not invoke(function)[0].failed


def test_a_time_out_kills_the_process(function):
    pid = invoke(function)[1]["pid"]
    began = time.monotonic()
    outcome, answer = invoke(function, do="sleep", seconds=30)
    assert time.monotonic() - began < 4
    assert outcome.failed
    assert "Task timed out after 2.00 seconds" in answer["errorMessage"]
    assert not Path(f"/proc/{pid}").exists()
    assert not invoke(function)[0].failed


def test_six_megabytes_pass_and_more_do_not(function):
    assert not invoke(function, do="large", bytes=6_000_000)[0].failed
    outcome, answer = invoke(function, do="large", bytes=6 * 1024 * 1024 + 200)
    assert outcome.failed
    assert answer["errorType"] == "Function.ResponseSizeTooLarge"
    with pytest.raises(EventTooLargeError):
        function.invoke(b"x" * 6_300_000)
    assert not invoke(function)[0].failed


def test_a_function_that_cannot_be_imported_says_why(tmp_path):
    with toy_function(tmp_path, "import no_such_module") as broken:
        outcome, answer = invoke(broken)
        assert outcome.failed
        assert answer["errorType"] == "Runtime.ImportModuleError"
        assert "no_such_module" in answer["errorMessage"]
        assert "no_such_module" in (tmp_path / "toy.log").read_text()


def test_concurrent_events_go_to_different_environments(function):
    pids = []
    threads = [threading.Thread(target=lambda: pids.append(_slow_pid(function))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(pids) == 3
    assert not any(failed for failed in pids)


def _slow_pid(function: Function) -> bool:
    return invoke(function, do="sleep", seconds=0.2)[0].failed


def test_an_event_waits_for_an_environment_that_is_warming_up(tmp_path):
    with toy_function(tmp_path, "import time; open('starts', 'a').write('x'); time.sleep(1)" + CODE) as slow:
        warming = threading.Thread(target=slow.prewarm)
        warming.start()
        time.sleep(0.2)
        assert not invoke(slow)[0].failed
        warming.join()
        assert len((tmp_path / "starts").read_text()) == 1


def test_closing_ends_every_process(tmp_path):
    with toy_function(tmp_path, CODE) as closed:
        pid = invoke(closed)[1]["pid"]
    assert not Path(f"/proc/{pid}").exists()
    assert pid != os.getpid()
