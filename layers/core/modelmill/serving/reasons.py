"""What onnxruntime says of a failure, without what it says of this machine."""

import re
from pathlib import Path

MAX_REASON = 300

_PREFIX = re.compile(r"^\[ONNXRuntimeError\] : \d+ : [A-Z_]+ : ")
_SOURCE = re.compile(r"\S*/onnxruntime/\S+(?: [\w:<>~&*, ]+\([^)]*\))? ?")


def reason(error: Exception, folder: Path | None = None) -> str:
    """One line of it; `folder`: where the model lies."""
    text = _SOURCE.sub("", _PREFIX.sub("", str(error)))
    return " ".join((text.replace(f"{folder}/", "") if folder else text).split())[:MAX_REASON]
