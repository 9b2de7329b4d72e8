"""The pages name every reason for which a model may be refused."""

import re
from collections.abc import Iterator

from modelmill.models.rejection import REJECTIONS
from tests.template_setup import ROOT

# Of what training leaves, which nobody uploads.
OF_TRAINING = {"artifact_missing", "artifact_corrupt", "signature_invalid"}
# Of the upload, not of the file.
OF_UPLOADS = {"upload_lost", "validation_failed"}


def table(page: str, header: str) -> Iterator[str]:
    """The rows below a header."""
    _, _, rows = (ROOT / "docs" / page).read_text("utf-8").partition(f"{header}\n")
    yield from rows.partition("\n\n")[0].splitlines()


def test_every_failure_of_an_upload_is_listed() -> None:
    codes = {code for row in table("api.md", "| failure | the model |") for code in re.findall("`([a-z_]+)`", row)}

    assert codes - {"labels"} == REJECTIONS.keys() - OF_TRAINING | OF_UPLOADS


def test_every_reason_of_admission_is_explained() -> None:
    rows = list(table("security.md", "| code | why a model is refused |"))

    assert {row.split("`")[1] for row in rows[1:]} == REJECTIONS.keys() | OF_UPLOADS
