"""Parts of the local cloud for tests: toy functions, and the local AWS in a folder of its own."""

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent

from modelmill_local.aws_process import AwsProcess, listen
from modelmill_local.functions import Function
from modelmill_local.instance import FunctionSpec
from modelmill_local.workspace import Workspace


def runs(pid: int) -> bool:
    """Whether a process is there and not just waiting for its parent to take note of its end."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until_gone(pids: Iterable[int]) -> None:
    """Fails where one of the processes is still there after ten seconds."""
    deadline = time.monotonic() + 10
    while left := [pid for pid in pids if runs(pid)]:
        assert time.monotonic() < deadline, f"{left} outlive the local cloud"
        time.sleep(0.05)


@contextmanager
def local_aws(folder: Path) -> Iterator[AwsProcess]:
    """The local AWS over the state in `folder`; what an earlier one left there is not restored yet."""
    workspace = Workspace(folder)
    workspace.open()
    aws = AwsProcess(listen("127.0.0.1", 0, "AWS services", "--aws-port"), "127.0.0.1", workspace)
    try:
        yield aws
    finally:
        aws.stop()
        workspace.close()


@contextmanager
def toy_function(
    folder: Path, code: str, *, timeout: float = 10, environment: Mapping[str, str] | None = None, most: int = 4
) -> Iterator[Function]:
    """A function made of `code`, whose handler is `app.handler`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "app.py").write_text(dedent(code), "utf-8")
    spec = FunctionSpec("toy", "app.handler", folder, timeout, 256, environment or {})
    function = Function(spec, folder / "toy.log", most)
    try:
        yield function
    finally:
        function.close()
