"""docs/api.md names every reason for which an uploaded model may be refused."""

import re

from modelmill.models.rejection import REJECTIONS
from tests.template_setup import ROOT

# Of what training leaves, which nobody uploads.
OF_TRAINING = {"artifact_missing", "artifact_corrupt", "signature_invalid"}
# Of the upload, not of the file.
OF_UPLOADS = {"upload_lost", "validation_failed"}


def test_every_failure_is_listed() -> None:
    text = (ROOT / "docs" / "api.md").read_text("utf-8")
    _, _, table = text.partition("| failure | the model |\n")
    codes = {code for line in table.partition("\n\n")[0].splitlines() for code in re.findall("`([a-z_]+)`", line)}

    assert codes - {"labels"} == REJECTIONS.keys() - OF_TRAINING | OF_UPLOADS
