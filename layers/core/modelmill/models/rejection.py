"""Why a bundle is not taken in."""


class BundleRejected(Exception):
    """A bundle that must not be served: a stable code, and a sentence for the owner of the job."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
