"""The evaluation report of a model: numbers as JSON, and pictures drawn from these numbers."""

import json
from pathlib import Path
from typing import Any

from modelmill.models.manifest import REPORT_FILE

REPORT_VERSION = 1


def write(folder: Path, report: dict[str, Any]) -> None:
    """Leave report.json and the pictures that it names in the folder."""
    from modelmill_training.report.pictures import draw

    pictures = draw(report, folder)
    content = json.dumps({"report_version": REPORT_VERSION, **report, "pictures": pictures}, allow_nan=False)
    (folder / REPORT_FILE).write_text(content, encoding="utf-8")
