"""What the client repeats from the server, because it must stand alone, is the same."""

from modelmill.datasets.values import MISSING as SERVER_MISSING
from modelmill_client.cells import MISSING


def test_both_take_the_same_cells_for_missing() -> None:
    # The client looks at a cell without the blanks around it, the server's list spells some of them out.
    assert {text.strip() for text in SERVER_MISSING} == MISSING
