"""docs/operations.md explains every parameter of the template."""

import re

from infra.translated import translated
from tests.template_setup import ROOT


def test_every_parameter_is_explained() -> None:
    text = (ROOT / "docs" / "operations.md").read_text("utf-8")
    _, _, table = text.partition("| parameter | default | |\n")
    explained = [name for row in table.partition("\n\n")[0].splitlines() for name in re.findall("`([A-Z]\\w+)`", row)]

    assert translated()["Parameters"].keys() <= set(explained)
