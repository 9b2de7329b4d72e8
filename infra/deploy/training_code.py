"""The folder that a training job runs from: start script, code, and wheels of what SageMaker's image lacks."""

import hashlib
import shutil
import subprocess
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from packaging.markers import Marker

ROOT = Path(__file__).resolve().parent.parent.parent
START_SCRIPT = "train.sh"
TRAINING_PACKAGE = "modelmill_training"
WHEELS = "wheels"

# All that training needs of modelmill; the rest never reaches the container.
SHARED_MODULES = (
    "__init__.py",
    "errors.py",
    "datasets/__init__.py",
    "datasets/kinds.py",
    "datasets/pictures.py",
    "datasets/schema.py",
    "datasets/values.py",
    "jobs/__init__.py",
    "jobs/catalogue/__init__.py",
    "jobs/catalogue/entry.py",
    "jobs/catalogue/image.py",
    "jobs/catalogue/networks.py",
    "jobs/catalogue/tabular.py",
    "jobs/catalogue/timeseries.py",
    "jobs/catalogue/text.py",
    "jobs/catalogue/unsupervised.py",
    "jobs/metrics.py",
    "jobs/spec.py",
    "models/__init__.py",
    "models/frequency.py",
    "models/history.py",
    "models/manifest.py",
    "models/signature.py",
)

# What modelmill_training imports besides TensorFlow, which the image brings with all that it needs.
REQUIREMENTS = (
    "jsonschema",
    "keras",
    "matplotlib",
    "onnx",
    "onnxruntime",
    "optuna",
    "pillow",
    "pyarrow",
    "scikit-learn",
    "shap",
    "tf2onnx",
    "threadpoolctl",
    "tokenizers",
)
FROM_THE_IMAGE = "tensorflow"

# The image has a Keras too, in a version that TensorFlow's range leaves open. Keras is pure Python and small, so the
# locked version travels along: it is the one whose ONNX export is tested.
IN_SPITE_OF_THE_IMAGE = frozenset({"keras"})

# What a package asks for and training does not use: downloads of tokenizers from a hub.
NOT_NEEDED = {"tokenizers": frozenset({"huggingface-hub"})}

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
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_27_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")
DOWNLOAD = (
    *("uv", "tool", "run", "--quiet", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"),
    *("--require-hashes", "--only-binary=:all:", "--implementation=cp", "--python-version=3.12"),
    *("--abi=cp312", "--abi=abi3", "--abi=none", *(f"--platform={platform}" for platform in PLATFORMS)),
)

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


def build_wheelhouse(folder: Path, lock: Path = ROOT / "uv.lock") -> Path:
    """Fill a folder with the wheels that a job installs, exactly those of uv.lock: the folder.

    Raises:
        subprocess.CalledProcessError: a package has no wheel for the container, or cannot be downloaded.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as requirements:
        requirements.write(wheel_requirements(tomllib.loads(lock.read_text("utf-8"))))
        requirements.flush()
        subprocess.run([*DOWNLOAD, "--dest", str(folder), "--requirement", requirements.name], check=True)
    return folder


def wheel_requirements(lock: Mapping[str, Any]) -> str:
    """A requirements.txt of everything that the image lacks, pinned by hash."""
    shipped = closure(lock, (FROM_THE_IMAGE,)) - IN_SPITE_OF_THE_IMAGE
    packages = [locked(lock, name) for name in sorted(closure(lock, REQUIREMENTS) - shipped)]
    return "".join(_pin(package) for package in packages)


def closure(lock: Mapping[str, Any], roots: tuple[str, ...]) -> set[str]:
    """The packages and all that they need in the container."""
    found: set[str] = set()
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += _needs(locked(lock, name))
    return found


def locked(lock: Mapping[str, Any], name: str) -> Package:
    """The entry of a package.

    Raises:
        LookupError: it is not there, or not in exactly one version for the container.
    """
    candidates = [
        package
        for package in lock["package"]
        if package["name"] == name and any(map(_applies, package.get("resolution-markers") or [None]))
    ]
    if len(candidates) != 1:
        raise LookupError(f"uv.lock has {len(candidates)} versions of {name} for the container, expected one")
    return dict(candidates[0])


def _needs(package: Package) -> list[str]:
    left_out = NOT_NEEDED.get(package["name"], frozenset())
    needed = (entry for entry in package.get("dependencies", ()) if _applies(entry.get("marker")))
    return [entry["name"] for entry in needed if entry["name"] not in left_out]


def _applies(marker: str | None) -> bool:
    return marker is None or Marker(marker).evaluate(CONTAINER)


def _pin(package: Package) -> str:
    hashes = sorted(wheel["hash"] for wheel in package["wheels"])
    return " ".join([f"{package['name']}=={package['version']}", *(f"--hash={value}" for value in hashes)]) + "\n"


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
