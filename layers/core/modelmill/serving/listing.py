"""Which models and versions a tenant has."""

import time
from collections.abc import Callable, Iterator

from modelmill.errors import Unavailable
from modelmill.models.registry import ModelVersion
from modelmill.pages import Page
from modelmill.serving.ports import Versions

PAGE = 100
RETRY_AFTER_SECONDS = 1


class Listing:
    """Reads all pages, unless `deadline` (of `time.monotonic()`) passes.

    All methods raise `errors.Unavailable` then, or while the registry is down.
    """

    def __init__(self, versions: Versions, tenant: str, deadline: float) -> None:
        self._versions = versions
        self._tenant = tenant
        self._deadline = deadline

    def models(self) -> list[str]:
        """The names of all models, in order."""
        pages = self._pages(lambda cursor: self._versions.models(self._tenant, PAGE, cursor))
        return sorted(model.model for page in pages for model in page.items)

    def versions(self, model: str) -> list[ModelVersion]:
        """All versions of a model, oldest first."""
        pages = self._pages(lambda cursor: self._versions.versions(self._tenant, model, PAGE, cursor))
        return sorted((each for page in pages for each in page.items), key=lambda each: each.version)

    def _pages[Item](self, read: Callable[[str | None], Page[Item]]) -> Iterator[Page[Item]]:
        cursor: str | None = None
        while True:
            if time.monotonic() > self._deadline:
                message = "there is more to list than can be read in time; ask for single models"
                raise Unavailable(message, code="deadline_exceeded", retry_after=RETRY_AFTER_SECONDS)
            page = read(cursor)
            yield page
            cursor = page.next_cursor
            if cursor is None:
                return
