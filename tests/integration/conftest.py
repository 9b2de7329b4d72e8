"""One local AWS for the tests that bring their own names into it."""

from collections.abc import Iterator

import pytest

from modelmill_local.aws_process import AwsProcess
from tests.local_parts import local_aws


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsProcess]:
    """A running local AWS, shared: use names that no other test uses."""
    with local_aws(tmp_path_factory.mktemp("aws")) as started:
        yield started
