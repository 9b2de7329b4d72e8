"""What `sam build` makes: complete, small enough, and importing no more than it needs."""

import json
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tests.template_setup import FUNCTIONS, ROOT, resolved

LAMBDA_LIMIT = 250 * 1024 * 1024
LAYER_BUDGETS_MB = {"CoreLayer": 8, "ControlLayer": 25, "OnnxLayer": 100, "GraphLayer": 20, "DataLayer": 95}
INFER_UNZIPPED_MB, INFER_ZIPPED_MB = 125, 42
HEAVY = {"duckdb", "numpy", "onnxruntime", "pydantic", "aws_lambda_powertools"}
# What a cold start may load; `infer` and `admit` load ONNX Runtime when the first model comes.
MAY_IMPORT = {
    "Api": {"aws_lambda_powertools", "pydantic"},
    "Infer": {"numpy", "onnxruntime"},
    "Ingest": {"aws_lambda_powertools", "duckdb"},
    "Dispatch": {"aws_lambda_powertools"},
    "Track": {"aws_lambda_powertools"},
    "Admit": {"aws_lambda_powertools", "numpy", "onnxruntime"},
}
IMPORT_HANDLER = """
import json, sys
sys.path[:0] = json.loads(sys.argv[1])
import app
assert callable(app.handler)
files = sorted(m.__file__ for m in list(sys.modules.values()) if getattr(m, "__file__", None))
json.dump({"modules": sorted(sys.modules), "files": files}, sys.stdout)
"""


@cache
def layers_of(name: str) -> tuple[str, ...]:
    layers = resolved()[f"{name}Function"]["Layers"]
    return tuple(layer[: layer.index("Layer") + len("Layer")] for layer in layers)


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def import_handler(built: Path, runtime: Path, name: str) -> dict[str, list[str]]:
    """Import a handler in an interpreter that sees only its function, its layers and the runtime."""
    path = [built / f"{name}Function", *(built / layer / "python" for layer in layers_of(name)), runtime]
    command = [getattr(sys, "_base_executable", sys.executable), "-I", "-S", "-B", "-c", IMPORT_HANDLER]
    arguments = [json.dumps([str(folder) for folder in path])]
    result = subprocess.run([*command, *arguments], env={}, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return dict(json.loads(result.stdout))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_handler_imports_with_only_its_function_and_layers(built: Path, runtime: Path, name: str) -> None:
    loaded = import_handler(built, runtime, name)

    installed = [file for file in loaded["files"] if "site-packages" in file and str(runtime) not in file]
    assert not installed
    assert HEAVY & set(loaded["modules"]) <= MAY_IMPORT[name]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_function_and_layers_fit_into_lambda(built: Path, name: str) -> None:
    unpacked = size(built / f"{name}Function") + sum(size(built / layer) for layer in layers_of(name))

    assert unpacked < LAMBDA_LIMIT
    assert [path.name for path in (built / f"{name}Function").iterdir()] == ["app.py"]


@pytest.mark.parametrize(("layer", "budget"), LAYER_BUDGETS_MB.items())
def test_layers_stay_within_their_budgets(built: Path, layer: str, budget: int) -> None:
    assert size(built / layer) < budget * 1024 * 1024


@pytest.mark.parametrize("layer", LAYER_BUDGETS_MB)
def test_layers_are_compiled_and_hold_no_tests(built: Path, layer: str) -> None:
    modules = [path for path in (built / layer / "python").rglob("*.py") if path.parent.name != "__pycache__"]

    without = [path for path in modules if not any((path.parent / "__pycache__").glob(f"{path.stem}.cpython-313.pyc"))]

    assert modules
    assert not without
    assert not [path for path in (built / layer).rglob("tests") if path.is_dir()]


def test_the_package_of_infer_stays_small(built: Path, tmp_path: Path) -> None:
    folders = [built / "InferFunction", *(built / layer for layer in layers_of("Infer"))]
    zipped = [Path(shutil.make_archive(str(tmp_path / folder.name), "zip", folder)) for folder in folders]

    assert sum(map(size, folders)) < INFER_UNZIPPED_MB * 1024 * 1024
    assert sum(path.stat().st_size for path in zipped) < INFER_ZIPPED_MB * 1024 * 1024


def test_no_function_carries_a_package_twice(built: Path) -> None:
    for name in FUNCTIONS:
        packages = [path.name for layer in layers_of(name) for path in (built / layer / "python").glob("*.dist-info")]
        assert len(packages) == len(set(packages)), name


def test_the_core_layer_carries_all_of_modelmill(built: Path) -> None:
    package = ROOT / "layers" / "core" / "modelmill"
    names = {path.relative_to(package) for path in package.rglob("*.py")}

    copied = built / "CoreLayer" / "python" / "modelmill"

    assert {path.relative_to(copied) for path in copied.rglob("*.py")} == names
