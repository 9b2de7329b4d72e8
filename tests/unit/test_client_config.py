"""Where the client finds the server and the key."""

from pathlib import Path

import pytest

from modelmill_client.config import resolve
from modelmill_client.errors import ConfigurationError


@pytest.fixture
def state(tmp_path: Path) -> Path:
    (tmp_path / "url").write_text("http://127.0.0.1:8080\n")
    (tmp_path / "api_key").write_text("mm_local\n")
    return tmp_path


def test_arguments_win_over_environment_and_state(state: Path) -> None:
    environ = {"MODELMILL_URL": "https://env.example", "MODELMILL_API_KEY": "mm_env"}

    found = resolve("https://argument.example", "mm_argument", state, environ)

    assert (found.url, found.api_key) == ("https://argument.example", "mm_argument")


def test_environment_wins_over_state(state: Path) -> None:
    environ = {"MODELMILL_URL": "https://env.example", "MODELMILL_API_KEY": "mm_env"}

    found = resolve(None, None, state, environ)

    assert (found.url, found.api_key) == ("https://env.example", "mm_env")


def test_the_state_folder_is_enough(state: Path) -> None:
    found = resolve(None, None, state, {})

    assert (found.url, found.api_key) == ("http://127.0.0.1:8080", "mm_local")


def test_the_key_of_the_state_folder_goes_to_no_other_server(state: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"no API key for https://elsewhere\.example"):
        resolve("https://elsewhere.example", None, state, {})


def test_the_key_of_the_state_folder_opens_the_same_server_given_by_hand(state: Path) -> None:
    assert resolve("http://127.0.0.1:8080/", None, state, {}).api_key == "mm_local"


def test_without_anything_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="modelmill up"):
        resolve(None, None, tmp_path / "none", {})


def test_the_key_does_not_show_in_a_repr(state: Path) -> None:
    assert "mm_local" not in repr(resolve(None, None, state, {}))
