"""Making a creating call safe to repeat."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

KEPT_SECONDS = 24 * 3600


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """What the client sent in `Idempotency-Key`, and the hash of the body it came with."""

    key: str
    body_sha256: str

    @classmethod
    def of(cls, key: str, call: str, body: dict[str, Any]) -> "IdempotencyKey":
        """The key for this call and body; another call or body under the same key is a mismatch."""
        text = json.dumps([call, body], sort_keys=True, separators=(",", ":"))
        return cls(key, hashlib.sha256(text.encode()).hexdigest())
