"""Settings name everything that is wrong at once."""

import pytest

from modelmill.settings import ApiSettings, Settings


def test_all_missing_and_malformed_variables_are_named() -> None:
    with pytest.raises(ValueError, match="MODELMILL_STACK is not set") as error:
        ApiSettings.read({"MODELMILL_TABLE": "t", "MODELMILL_MAX_DATASETS": "many"})

    assert "MODELMILL_STORE_BUCKET is not set" in str(error.value)
    assert "MODELMILL_MAX_DATASETS is 'many', expected a whole number" in str(error.value)


def test_values_are_typed() -> None:
    assert Settings.read({"MODELMILL_TABLE": "t", "MODELMILL_STORE_BUCKET": "b"}) == Settings("t", "b")
