"""The folder that a training job runs from: start script, code, and wheels of what SageMaker's image lacks."""

import hashlib
import os
import shutil
import tomllib
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from packaging.markers import Marker
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import parse_wheel_filename

ROOT = Path(__file__).resolve().parent.parent.parent
START_SCRIPT = "train.sh"
TRAINING_PACKAGE = "modelmill_training"
WHEELS = "wheels"

# All that training needs of modelmill; the rest never reaches the container.
SHARED_MODULES = (
    "__init__.py",
    "errors.py",
    "datasets/__init__.py",
    "datasets/schema.py",
    "jobs/__init__.py",
    "jobs/catalogue.py",
    "jobs/spec.py",
    "models/__init__.py",
    "models/manifest.py",
    "models/signature.py",
)

# What modelmill_training imports besides TensorFlow, which the image brings with all that it needs.
REQUIREMENTS = ("jsonschema", "keras", "onnx", "onnxruntime", "pyarrow", "scikit-learn", "tf2onnx")
FROM_THE_IMAGE = "tensorflow"

# The image has a Keras too, in a version that TensorFlow's range leaves open. Keras is pure Python and small, so the
# locked version travels along: it is the one whose ONNX export is tested.
IN_SPITE_OF_THE_IMAGE = frozenset({"keras"})

# SageMaker's TensorFlow 2.21 image: CPython 3.12 on Ubuntu 22.04 (glibc 2.35).
CONTAINER = {
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "python_full_version": "3.12.0",
    "python_version": "3.12",
    "sys_platform": "linux",
}
PYTHON = (3, 12)
NEWEST_GLIBC = 35

Package = Mapping[str, Any]


def build(folder: Path, wheels: Path | None) -> str:
    """Fill an empty folder with the training code, and with the wheels of another folder where one is given.

    Returns:
        The sha256 of all paths and contents: equal for equal code, wherever and whenever it is built.
    """
    for name in SHARED_MODULES:
        _copy(ROOT / "layers/core/modelmill" / name, folder / "modelmill" / name)
    package = ROOT / "training" / TRAINING_PACKAGE
    for path in sorted(package.rglob("*.py")):
        _copy(path, folder / TRAINING_PACKAGE / path.relative_to(package))
    _copy(ROOT / "training" / START_SCRIPT, folder / START_SCRIPT)
    for path in sorted(wheels.glob("*.whl")) if wheels else []:
        _copy(path, folder / WHEELS / path.name)
    return content_hash(folder)


def content_hash(folder: Path) -> str:
    """Of every file's path below the folder and its content."""
    total = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        total.update(path.relative_to(folder).as_posix().encode() + b"\0" + _digest(path) + b"\0")
    return total.hexdigest()


def build_wheelhouse(folder: Path, lock: Path = ROOT / "uv.lock", cache: Path | None = None) -> Path:
    """Fill a folder with the wheels that a job installs, exactly those of uv.lock: the folder.

    Raises:
        LookupError: a package has no wheel for the container.
        ValueError: a download is not what the lock file says.
    """
    folder.mkdir(parents=True, exist_ok=True)
    cache = cache or default_cache()
    cache.mkdir(parents=True, exist_ok=True)
    for wheel in locked_wheels(tomllib.loads(lock.read_text("utf-8"))):
        name = wheel["url"].rpartition("/")[2]
        _copy(_fetch(wheel, cache / name), folder / name)
    return folder


def default_cache() -> Path:
    """Where downloads are kept between deployments."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "modelmill" / WHEELS


def locked_wheels(lock: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The `{"url", "hash"}` entries of uv.lock for everything the image lacks, by name."""
    shipped = closure(lock, [FROM_THE_IMAGE]) - IN_SPITE_OF_THE_IMAGE
    names = sorted(closure(lock, REQUIREMENTS) - shipped)
    return [best_wheel(_locked(lock, name)) for name in names]


def closure(lock: Mapping[str, Any], roots: tuple[str, ...] | list[str]) -> set[str]:
    """The packages and all that they need in the container."""
    found: set[str] = set()
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += _needs(_locked(lock, name))
    return found


def best_wheel(package: Package) -> dict[str, Any]:
    """The wheel that pip would take in the container.

    Raises:
        LookupError: none fits.
    """
    ranks = {tag: rank for rank, tag in enumerate(_container_tags())}
    fitting = []
    for wheel in package.get("wheels", ()):
        tags = parse_wheel_filename(wheel["url"].rpartition("/")[2])[3]
        fitting += [(ranks[tag], wheel["url"], wheel) for tag in tags if tag in ranks]
    if not fitting:
        raise LookupError(f"uv.lock has no wheel of {package['name']} for CPython 3.12 on Linux x86_64")
    return dict(min(fitting, key=lambda entry: entry[:2])[2])


def _container_tags() -> Iterator[Tag]:
    platforms = [f"manylinux_2_{minor}_x86_64" for minor in range(NEWEST_GLIBC, 4, -1)]
    platforms += ["manylinux2014_x86_64", "manylinux2010_x86_64", "manylinux1_x86_64", "linux_x86_64"]
    yield from cpython_tags(PYTHON, platforms=platforms)
    yield from compatible_tags(PYTHON, interpreter="cp312", platforms=platforms)


def _locked(lock: Mapping[str, Any], name: str) -> Package:
    candidates = [
        package
        for package in lock["package"]
        if package["name"] == name and any(map(_applies, package.get("resolution-markers") or [None]))
    ]
    if len(candidates) != 1:
        raise LookupError(f"uv.lock has {len(candidates)} versions of {name} for the container, expected one")
    return dict(candidates[0])


def _needs(package: Package) -> list[str]:
    return [entry["name"] for entry in package.get("dependencies", ()) if _applies(entry.get("marker"))]


def _applies(marker: str | None) -> bool:
    return marker is None or Marker(marker).evaluate(CONTAINER)


def _fetch(wheel: Mapping[str, Any], path: Path) -> Path:
    expected = wheel["hash"].removeprefix("sha256:")
    if not path.exists() or _digest(path).hex() != expected:
        partial = path.with_suffix(".partial")
        with urllib.request.urlopen(wheel["url"], timeout=60) as response, partial.open("wb") as file:  # noqa: S310
            shutil.copyfileobj(response, file)
        if _digest(partial).hex() != expected:
            raise ValueError(f"{wheel['url']} is not the file that uv.lock names: expected sha256 {expected}")
        partial.rename(path)
    return path


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
