"""The training code as SageMaker runs it: what is uploaded, and a job in an environment like the image's."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from infra.deploy import training_code
from infra.deploy.training_code import build, build_wheelhouse, closure, locked, wheel_requirements
from modelmill.models.manifest import Manifest
from tests.environments import make_environment
from tests.ml_tree import mixed, progress_lines, write_tree

NO_NETWORK = """
import socket

def refuse(*_, **__):
    raise OSError("a network-isolated job has no network")

socket.socket.connect = socket.socket.connect_ex = socket.socket.bind = refuse
socket.getaddrinfo = refuse
"""


@pytest.fixture(scope="module")
def lock() -> dict:
    return tomllib.loads((training_code.ROOT / "uv.lock").read_text("utf-8"))


def python_of_the_image() -> str:
    """A CPython 3.12 of this machine."""
    found = subprocess.run(
        ["uv", "python", "find", "--no-python-downloads", "3.12"], capture_output=True, text=True, check=False
    )
    if found.returncode == 0:
        return found.stdout.strip()
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for path in sorted(versions.glob("3.12.*/bin/python3.12")):
        return str(path)
    pytest.skip("there is no Python 3.12 on this machine")


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory, lock: dict) -> Path:
    """The folder of programs of an environment that holds TensorFlow, what it needs, pip, and nothing else."""
    folder = tmp_path_factory.mktemp("image")
    shipped = sorted(closure(lock, ("tensorflow",)))
    requirements = folder / "requirements.txt"
    requirements.write_text("".join(f"{name}=={locked(lock, name)['version']}\n" for name in shipped))
    programs = make_environment(folder / "venv", python_of_the_image(), requirements, "--seed")
    (programs.parent / "lib/python3.12/site-packages/sitecustomize.py").write_text(NO_NETWORK)
    return programs


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        return build_wheelhouse(tmp_path_factory.mktemp("wheels"))
    except subprocess.CalledProcessError:
        pytest.skip("the wheels cannot be downloaded here")


def test_a_job_runs_to_its_bundle_in_the_image(tmp_path: Path, image: Path, wheels: Path) -> None:
    # given the tree of a network-isolated job, with real wheels
    tree = write_tree(tmp_path / "ml", mixed(200), "mlp", hyperparameters={"layers": [10], "epochs": 2})
    code = tree.root / "input/data/code"
    build(code, wheels)
    environment = {"PATH": f"{image}:/usr/bin:/bin", "HOME": str(tmp_path), "MODELMILL_ML_ROOT": str(tree.root)}

    # when it is started as SageMaker starts it
    result = subprocess.run(
        ["bash", str(code / "train.sh")], env=environment, capture_output=True, text=True, timeout=250, check=False
    )

    # then it ends with a bundle
    assert result.returncode == 0, result.stdout + result.stderr
    assert tree.failure is None
    manifest = Manifest.from_json((tree.root / "model/manifest.json").read_bytes())
    assert manifest.parity["passed"]
    assert manifest.libraries["python"].startswith("3.12.")
    assert manifest.libraries["keras"] == "3.15.1"
    phases = {line.get("phase") for line in progress_lines(result.stdout)}
    assert {"load", "fit", "parity", "report", "save"} <= phases


def test_wheels_that_cannot_be_installed_are_a_failure(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "ml", mixed(20))
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels/broken-1.0-py3-none-any.whl").write_bytes(b"not a wheel")
    code = tree.root / "input/data/code"
    build(code, tmp_path / "wheels")
    environment = {**os.environ, "MODELMILL_ML_ROOT": str(tree.root)}
    result = subprocess.run(["bash", str(code / "train.sh")], env=environment, capture_output=True, check=False)
    assert result.returncode == 70
    assert tree.failure == "internal: The wheels of the training code could not be installed."


def test_the_hash_is_that_of_the_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = build(tmp_path / "first", None)
    again = build(tmp_path / "again", None)
    assert first == again
    assert len(first) == 64
    (tmp_path / "again/train.sh").write_text("exit 1\n")
    assert training_code.content_hash(tmp_path / "again") != first
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels/some.whl").write_bytes(b"")
    assert build(tmp_path / "with wheels", tmp_path / "wheels") != first


def test_only_what_training_needs_is_uploaded(tmp_path: Path) -> None:
    build(tmp_path, None)
    files = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert {"train.sh", "modelmill_training/__main__.py", "modelmill/models/manifest.py"} <= files
    assert {path.split("/")[0] for path in files} == {"train.sh", "modelmill", "modelmill_training"}
    assert not [path for path in files if "aws" in path or "web" in path or "serving" in path]


def test_the_code_imports_nothing_that_was_left_behind(tmp_path: Path) -> None:
    build(tmp_path, None)
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); import modelmill_training.job, modelmill_training.tabular.auto; "
        "import json; print(json.dumps([m.__file__ for n, m in sys.modules.items() if n.startswith('modelmill')]))"
    )
    result = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True)
    assert all(path.startswith(str(tmp_path)) for path in json.loads(result.stdout))


def test_wheels_are_what_the_image_lacks(lock: dict) -> None:
    pinned = {line.split("==")[0]: line for line in wheel_requirements(lock).splitlines()}
    assert {"keras", "matplotlib", "onnx", "onnxruntime", "pyarrow", "scikit-learn", "scipy", "tf2onnx"} <= set(pinned)
    assert not {"tensorflow", "numpy", "protobuf", "grpcio", "httpx", "boto3", "duckdb"} & set(pinned)
    assert all("--hash=sha256:" in line for line in pinned.values())
