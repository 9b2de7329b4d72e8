"""Tries a model: `python -m modelmill.serving.probe FOLDER FORM MEMORY_BYTES SECONDS FILE_BYTES`.

Runs in a process of its own under limits that it sets itself before it reads anything, and prints what it found as
JSON.
"""

import json
import resource
import sys
from pathlib import Path
from typing import Any


def main(folder: str, form: str, memory_bytes: str, seconds: str, file_bytes: str) -> None:
    """Print what a good model is like, else `{"code", "message"}`."""
    _limit(int(memory_bytes), int(seconds), int(file_bytes))
    print(json.dumps(_try(Path(folder), form)))


def _limit(memory_bytes: int, seconds: int, file_bytes: int) -> None:
    for kind, soft, hard in (
        (resource.RLIMIT_AS, memory_bytes, memory_bytes),
        # At the soft limit comes a signal that tells processor time from memory, at the hard one SIGKILL.
        (resource.RLIMIT_CPU, seconds, seconds + 1),
        (resource.RLIMIT_FSIZE, file_bytes, file_bytes),
        (resource.RLIMIT_CORE, 0, 0),
    ):
        resource.setrlimit(kind, (soft, hard))


def _try(folder: Path, form: str) -> dict[str, Any]:
    # Imported under the limits.
    from modelmill.errors import ModelmillError
    from modelmill.models.manifest import MANIFEST_FILE
    from modelmill.models.rejection import BundleRejected
    from modelmill.serving.bundle import BundleBroken
    from modelmill.serving.trial import TrialFailed, try_bundle
    from modelmill.serving.upload_trial import try_upload

    trial = try_bundle if (folder / MANIFEST_FILE).exists() else try_upload
    try:
        return trial(folder, form)
    except BundleRejected as rejected:
        return {"code": rejected.code, "message": rejected.message}
    except BundleBroken as error:
        return {"code": "unsupported_onnx", "message": str(error)}
    except ModelmillError as error:
        return {"code": "probe_failed", "message": f"the model fails on its reference rows: {error.detail}"}
    except TrialFailed as error:
        return {"code": "probe_failed", "message": str(error)}


if __name__ == "__main__":
    main(*sys.argv[1:])
