"""Why a job fails through no fault of the platform: the data, or what was asked for."""


class TrainingFailure(Exception):
    """A job that cannot succeed as asked; `code` is stable, `message` one sentence for the person who asked."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class ModelTooLarge(TrainingFailure):
    """The model would not fit into a bundle."""

    def __init__(self, message: str) -> None:
        super().__init__("model_too_large", message)


class ParityFailed(TrainingFailure):
    """The exported graph does not predict what the trained model predicts."""

    def __init__(self, message: str) -> None:
        super().__init__("parity_failed", message)
