"""Server-made ids and the one rule for names that users choose."""

import re
import secrets
import time

from modelmill.errors import FieldError, InvalidName

NAME_PATTERN = r"^[a-z0-9][a-z0-9-]{0,62}$"

_NAME = re.compile(NAME_PATTERN[:-1] + r"\Z")
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def new_id(prefix: str) -> str:
    """An id such as `ds-01jd…`: a lower-case ULID (https://github.com/ulid/spec), so ids sort by creation time."""
    number = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
    return f"{prefix}-" + "".join(_ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))


def check_name(name: str, field: str) -> str:
    """The name itself.

    Raises:
        InvalidName: it does not match `NAME_PATTERN`.
    """
    if not _NAME.match(name):
        message = "must be 1 to 63 characters of a-z, 0-9 and '-', starting with a letter or digit"
        raise InvalidName(f"{field} {name[:80]!r} {message}", errors=(FieldError(field, message),))
    return name
