"""Settings name everything that is wrong at once."""

import pytest

from modelmill.settings import ApiSettings, InferSettings, read_settings


def test_all_missing_and_malformed_variables_are_named() -> None:
    with pytest.raises(ValueError, match="MODELMILL_STACK is not set") as error:
        read_settings(ApiSettings, {"MODELMILL_TABLE": "t", "MODELMILL_MAX_DATASETS": "many"})

    assert "MODELMILL_STORE_BUCKET is not set" in str(error.value)
    assert "MODELMILL_MAX_DATASETS is 'many', expected a whole number" in str(error.value)


def test_values_are_typed() -> None:
    environment = {
        "MODELMILL_TABLE": "t",
        "MODELMILL_STORE_BUCKET": "b",
        "MODELMILL_MAX_MONTHLY_PREDICTIONS": "7",
        "OTHER": "",
    }

    assert read_settings(InferSettings, environment) == InferSettings("t", "b", 7)
