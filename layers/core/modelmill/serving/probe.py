"""Tries a bundle: `python -m modelmill.serving.probe FOLDER MEMORY_BYTES SECONDS` prints what it found as JSON.

Runs in a process of its own under limits that it sets itself before it reads anything.
"""

import json
import resource
import sys
from pathlib import Path
from typing import Any


def main(folder: str, memory_bytes: str, seconds: str) -> None:
    """Print `{}` for a good bundle, else `{"code", "message"}`."""
    _limit(int(memory_bytes), int(seconds))
    print(json.dumps(_try(Path(folder))))


def _limit(memory_bytes: int, seconds: int) -> None:
    for kind, soft, hard in (
        (resource.RLIMIT_AS, memory_bytes, memory_bytes),
        # At the soft limit comes a signal that tells processor time from memory, at the hard one SIGKILL.
        (resource.RLIMIT_CPU, seconds, seconds + 1),
        (resource.RLIMIT_FSIZE, 0, 0),
        (resource.RLIMIT_CORE, 0, 0),
    ):
        resource.setrlimit(kind, (soft, hard))


def _try(folder: Path) -> dict[str, Any]:
    # Imported under the limits.
    from modelmill.errors import ModelmillError
    from modelmill.serving.bundle import BundleBroken
    from modelmill.serving.trial import TrialFailed, try_bundle

    try:
        try_bundle(folder)
    except BundleBroken:
        return {"code": "unsupported_onnx", "message": "onnxruntime cannot load the model"}
    except ModelmillError as error:
        return {"code": "probe_failed", "message": f"the model fails on its reference rows: {error.detail}"}
    except TrialFailed as error:
        return {"code": "probe_failed", "message": str(error)}
    return {}


if __name__ == "__main__":
    main(*sys.argv[1:])
