"""`infer` as `sam build` makes it: its function and its layers, in `.bench/build`."""

import os
import subprocess
import sys
import sysconfig
from functools import cache
from pathlib import Path

from benchmarks.environments import CACHE, ROOT, python_of
from infra import translated

FUNCTION = "InferFunction"


def layers() -> list[str]:
    """Logical ids, without the hash that the translator adds."""
    found = translated.resolved({}, "bench")[FUNCTION]["Properties"]["Layers"]
    return [layer[: layer.index("Layer") + len("Layer")] for layer in found]


@cache
def build() -> Path:
    """The folder with a subfolder for the function and for each layer, built from the tree as it is now."""
    print("sam build …", file=sys.stderr, flush=True)
    folder, kept = CACHE / "build", CACHE / "sam-cache"
    path = [sysconfig.get_path("scripts"), os.environ["PATH"], str(ROOT / ".tools")]
    variables = os.environ | {"SAM_CLI_TELEMETRY": "0", "PATH": os.pathsep.join(path)}
    command = ["sam", "build", FUNCTION, "--build-dir", str(folder), "--cache-dir", str(kept)]
    done = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"sam build failed: {done.stderr[-2000:]}")
    return folder


def paths() -> list[Path]:
    """What Lambda puts on the path: the function, its layers and the runtime's own boto3."""
    return [build() / FUNCTION, *(build() / layer / "python" for layer in layers()), packages("runtime")]


def packages(peer: str) -> Path:
    """Where the packages of an environment lie."""
    return next((python_of(peer).parents[1] / "lib").glob("python3*/site-packages"))
