"""One `sam build` for all packaging tests."""

import os
import subprocess
import sysconfig
from pathlib import Path

import pytest

from tests.template_setup import ROOT

RUNTIME_PACKAGES = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six.py", "urllib3")


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with a subfolder for each function and layer, as `sam build` makes them."""
    folder = tmp_path_factory.mktemp("sam")
    scripts = sysconfig.get_path("scripts")
    environment = {**os.environ, "SAM_CLI_TELEMETRY": "0", "PATH": os.pathsep.join([scripts, os.environ["PATH"]])}
    command = ["sam", "build", "--parallel", "--build-dir", str(folder / "build"), "--cache-dir", str(folder / "cache")]
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return folder / "build"


@pytest.fixture(scope="session")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What Lambda's Python runtime brings along: boto3 and what it needs."""
    folder = tmp_path_factory.mktemp("runtime")
    installed = Path(sysconfig.get_path("purelib"))
    for name in RUNTIME_PACKAGES:
        (folder / name).symlink_to(installed / name)
    return folder
