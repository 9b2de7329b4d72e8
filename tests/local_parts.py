"""Parts of the local cloud for tests: toy functions, and the local AWS in a folder of its own."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent

from modelmill_local.aws_process import AwsProcess, listen
from modelmill_local.functions import Function
from modelmill_local.instance import FunctionSpec
from modelmill_local.workspace import Workspace


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
