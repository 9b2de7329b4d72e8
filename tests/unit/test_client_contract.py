"""What the client repeats from the server, because it must stand alone, is the same."""

from samtranslator.yaml_helper import yaml_parse

from infra.translated import TEMPLATE
from modelmill.datasets.values import MISSING as SERVER_MISSING
from modelmill_client.cells import MISSING
from modelmill_client.onnx_file import MAX_MODEL_BYTES


def test_both_take_the_same_cells_for_missing() -> None:
    # The client looks at a cell without the blanks around it, the server's list spells some of them out.
    assert {text.strip() for text in SERVER_MISSING} == MISSING


def test_both_take_models_up_to_the_same_size() -> None:
    assert yaml_parse(TEMPLATE.read_text("utf-8"))["Parameters"]["MaxModelBytes"]["MaxValue"] == MAX_MODEL_BYTES
