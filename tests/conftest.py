"""A test's folder is its marker, and with it what the test may do."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_socket import disable_socket, enable_socket

from tests.cloud import Cloud
from tests.cloud import cloud as cloud_on_moto

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test by the folder that it lies in."""
    for item in items:
        folder = item.path.relative_to(HERE).parts[0]
        item.add_marker(folder)


@pytest.fixture(autouse=True)
def _sockets(request: pytest.FixtureRequest):
    """Unit tests reach no network."""
    if request.node.get_closest_marker("unit"):
        disable_socket(allow_unix_socket=True)
        yield
        enable_socket()
    else:
        yield


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    """Every store on a fresh moto."""
    with cloud_on_moto() as made:
        yield made
