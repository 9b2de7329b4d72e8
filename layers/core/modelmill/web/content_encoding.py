"""Compressed bodies, gzip or deflate, which is zlib: https://www.rfc-editor.org/rfc/rfc9110#name-content-encoding"""

import zlib
from functools import lru_cache

from modelmill.errors import MalformedRequest, TooLarge, UnsupportedMediaType
from modelmill.web.events import Answer

# A client that names one coding wants it. Lists come from HTTP libraries on their own: there it must be worth the
# processor time, which at level 1 is that of some 50 MB a second.
SMALLEST_ASKED = 1_000
SMALLEST_LISTED = 64_000

_WINDOWS = {"gzip": zlib.MAX_WBITS | 16, "deflate": zlib.MAX_WBITS}
_ALIASES = {"x-gzip": "gzip"}
_LEVEL = 1


def decoded(coding: str, body: bytes, limit: int) -> bytes:
    """The body behind its content coding.

    Raises:
        UnsupportedMediaType: another coding.
        TooLarge: more than `limit` bytes come out.
        MalformedRequest: it is not in this coding, or is cut off.
    """
    name = coding.strip().lower()
    if name in ("", "identity"):
        return body
    window = _WINDOWS.get(_ALIASES.get(name, name))
    if window is None:
        raise UnsupportedMediaType(f"content-encoding {coding[:80]!r} is not read; send gzip, deflate or neither")
    reader = zlib.decompressobj(window)
    try:
        content = reader.decompress(body, limit + 1)
    except zlib.error as error:
        raise MalformedRequest(f"the body is not {name}: {error}") from error
    if len(content) > limit:
        raise TooLarge(f"the body has more than {limit} bytes once it is decompressed; send less at once")
    if not reader.eof or reader.unused_data:
        raise MalformedRequest(f"the body is not one whole {name} stream")
    return content


def encoded(answer: Answer, accepted: str) -> Answer:
    """The answer, compressed where the client accepts that and where it helps."""
    if not accepted or len(answer.body) < SMALLEST_ASKED:
        return answer
    coding, smallest = _choose(accepted)
    if coding is None or len(answer.body) < smallest:
        return answer
    content = zlib.compress(answer.body, _LEVEL, _WINDOWS[coding])
    if len(content) >= len(answer.body):
        return answer
    return Answer(answer.status, answer.headers | {"content-encoding": coding}, content, binary=True)


@lru_cache(maxsize=256)
def _choose(accepted: str) -> tuple[str | None, int]:
    """The coding to use, gzip before deflate, and from how many bytes on."""
    wanted = {}
    for part in accepted.lower().split(","):
        name, _, parameters = part.partition(";")
        wanted[name.strip()] = parameters.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    coding = next((name for name in _WINDOWS if wanted.get(name)), None)
    return coding, SMALLEST_ASKED if len(wanted) == 1 else SMALLEST_LISTED
