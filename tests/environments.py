"""Environments of other packages than the project's own."""

import subprocess
from pathlib import Path

import pytest


def make_environment(folder: Path, python: str, requirements: Path, *options: str) -> Path:
    """The folder of programs of an environment with just what `requirements` lists; `options` go to `uv venv`."""
    subprocess.run(["uv", "venv", "--quiet", *options, "--python", python, folder], check=True)
    install = ["uv", "pip", "install", "--quiet", "--no-deps", "--python", folder / "bin/python", "-r", requirements]
    installed = subprocess.run(install, capture_output=True, text=True, check=False)
    if installed.returncode:
        pytest.skip(f"{requirements} cannot be installed here: {installed.stderr[-300:]}")
    return folder / "bin"
