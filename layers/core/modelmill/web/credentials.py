"""Where a request carries its API key."""


def sent_secret(headers: dict[str, str]) -> str | None:
    """The API key in a request's headers, whose names are in lower case."""
    if key := headers.get("x-api-key"):
        return key
    scheme, _, bearer = headers.get("authorization", "").partition(" ")
    return bearer.strip() if scheme.lower() == "bearer" else None
