"""Writes layers/*/requirements.txt from uv.lock: each layer's packages and all that they need, pinned by hash.

boto3 is in no layer: Lambda's Python runtime carries it, and 25 MB less to unpack is a faster cold start. A function of
several layers gets no package twice.
"""

import argparse
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from packaging.markers import Marker

ROOT = Path(__file__).resolve().parent.parent
# core is for all functions, control for all but `infer`, onnx for `infer` and `admit`, the others for one each.
LAYERS = {
    "core": ("orjson", "pybase64", "pysimdjson"),
    "control": ("aws-lambda-powertools", "jsonschema", "pydantic"),
    "data": ("duckdb", "pillow"),
    "graph": ("onnx",),
    "onnx": ("numpy", "onnxruntime", "pillow", "tokenizers"),
}
# What a package asks for and the part of it that runs here does not import: onnxruntime's converters, tokenizers'
# downloads from a hub. Functions of `graph` have `onnx` and `control` too.
NOT_NEEDED = {
    "onnxruntime": {"flatbuffers", "packaging", "protobuf"},
    "tokenizers": {"huggingface-hub"},
    "onnx": {"numpy", "typing-extensions"},
    "ml-dtypes": {"numpy"},
}
LAMBDA = {
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "python_full_version": "3.13.0",
    "python_version": "3.13",
    "sys_platform": "linux",
}
HEADER = "# Made by infra/layers.py from uv.lock.\n"


def requirements(lock: Mapping[str, Any], roots: tuple[str, ...]) -> str:
    """The text of a requirements.txt that installs `roots` on Lambda.

    Raises:
        LookupError: a package is not in the lock file, or not in exactly one version for Lambda.
    """
    found: dict[str, dict[str, Any]] = {}
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = _locked(lock, name)
            waiting += _needs(found[name])
    return HEADER + "".join(_pin(found[name]) for name in sorted(found))


def files(root: Path = ROOT) -> dict[Path, str]:
    """What each layer's requirements.txt should hold."""
    lock = tomllib.loads((root / "uv.lock").read_text("utf-8"))
    return {root / "layers" / layer / "requirements.txt": requirements(lock, roots) for layer, roots in LAYERS.items()}


def main(arguments: list[str] | None = None) -> int:
    """Write the files, or with --check only say which are stale."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a file is stale")
    options = parser.parse_args(arguments)
    stale = {path: text for path, text in files().items() if not path.exists() or path.read_text("utf-8") != text}
    for path, text in stale.items():
        if not options.check:
            path.write_text(text, "utf-8")
        print(f"{path.relative_to(ROOT)}: {'stale, run infra/layers.py' if options.check else 'written'}")
    return 1 if options.check and stale else 0


def _locked(lock: Mapping[str, Any], name: str) -> dict[str, Any]:
    candidates = [package for package in lock["package"] if package["name"] == name and _applies_somewhere(package)]
    if len(candidates) != 1:
        raise LookupError(f"uv.lock has {len(candidates)} versions of {name} for Lambda, expected one")
    return dict(candidates[0])


def _applies_somewhere(package: Mapping[str, Any]) -> bool:
    markers = package.get("resolution-markers")
    return markers is None or any(Marker(marker).evaluate(LAMBDA) for marker in markers)


def _needs(package: Mapping[str, Any]) -> Iterator[str]:
    for dependency in package.get("dependencies", ()):
        marker = dependency.get("marker")
        wanted = dependency["name"] not in NOT_NEEDED.get(package["name"], ())
        if wanted and (marker is None or Marker(marker).evaluate(LAMBDA)):
            yield dependency["name"]


def _pin(package: Mapping[str, Any]) -> str:
    hashes = sorted(wheel["hash"] for wheel in package["wheels"])
    return " \\\n    ".join([f"{package['name']}=={package['version']}", *(f"--hash={h}" for h in hashes)]) + "\n"


if __name__ == "__main__":
    sys.exit(main())
