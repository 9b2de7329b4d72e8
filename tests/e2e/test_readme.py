"""The commands and the program in README.md work as they stand there."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from modelmill_client.local import LocalCloud

README = (Path(__file__).parents[2] / "README.md").read_text()

pytestmark = pytest.mark.timeout(180)


def _block(language: str, containing: str) -> str:
    [block] = [code for code in re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL) if containing in code]
    return str(block)


@pytest.fixture
def folder(cloud: LocalCloud, tmp_path: Path) -> Path:
    """A user's folder: a state folder, `cells.csv` and `new-cells.csv`."""
    (tmp_path / ".modelmill").symlink_to(cloud.state)
    rows = [f"{10 + i % 13},{15 + i % 7},{'benign' if i % 13 < 8 else 'malignant'}" for i in range(130)]
    (tmp_path / "cells.csv").write_text("\n".join(["radius,texture,diagnosis", *rows, ""]))
    (tmp_path / "new-cells.csv").write_text("texture,radius\n18.5,12\n,22\n")
    return tmp_path


def _run(command: list[str], folder: Path) -> str:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "no_proxy": "127.0.0.1"}
    result = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=150)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_the_commands(cloud: LocalCloud, folder: Path) -> None:
    output = _run(["bash", "-e", "-c", _block("bash", "modelmill datasets upload")], folder)

    assert "cells: live → version 2 (was 1)" in output
    assert "cells: live → version 1 (was 2)" in output
    reasons = [entry["reason"] for entry in cloud.client.models.ledger("cells")]
    assert reasons[:2] == ["recall was a fluke", "better recall"]
    assert (folder / "predictions.csv").read_text().splitlines()[0].startswith("texture,radius,prediction,")


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("jq")), reason="needs curl and jq")
def test_the_calls_with_curl(folder: Path) -> None:
    output = _run(["bash", "-e", "-c", _block("bash", "curl")], folder)

    assert '"model":"cells-curl"' in output.replace(" ", "")


def test_the_python_program(folder: Path) -> None:
    output = _run([sys.executable, "-c", _block("python", "modelmill_client")], folder)

    assert "completed" in output
    assert "'label'" in output
