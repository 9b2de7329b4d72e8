"""One local cloud for all tests of this folder, on free ports, with a state folder of its own."""

import csv
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from modelmill_client import Client
from modelmill_client.local import LocalCloud

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """A test that stops it must start it again; ports, and with them `client`, are then others."""
    with LocalCloud(tmp_path_factory.mktemp("cloud") / "state") as cloud:
        yield cloud
        print(cloud.tail())


@pytest.fixture
def client(cloud: LocalCloud) -> Client:
    return cloud.client


@pytest.fixture
def modelmill(cloud: LocalCloud, tmp_path: Path) -> Command:
    """Runs the `modelmill` command in an empty folder, connected through the state folder."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MODELMILL_")}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "modelmill_client", *words, "--state", str(cloud.state)]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, timeout=120)

    return run


@pytest.fixture(scope="session")
def wine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """scikit-learn's wine data as CSV: 13 numbers and the class, made a word."""
    from sklearn.datasets import load_wine

    data = load_wine()
    file = tmp_path_factory.mktemp("data") / "wine.csv"
    with file.open("w", newline="") as output:
        writer = csv.writer(output)
        writer.writerow([*data.feature_names, "cultivar"])
        for values, target in zip(data.data.tolist(), data.target.tolist(), strict=True):
            writer.writerow([*values, str(data.target_names[target])])
    return file
