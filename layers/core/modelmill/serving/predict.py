"""Predict: one run of a session, within its deadline."""

from typing import Any

from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from modelmill.errors import InvalidRequest, Unavailable
from modelmill.serving.load import LoadedModel
from modelmill.serving.memory import release_run_memory
from modelmill.serving.reasons import reason
from modelmill.serving.tensors import Tensors
from modelmill.serving.watchdog import Watchdog

RETRY_AFTER_SECONDS = 1

RUN_ERRORS = (
    ort_errors.Fail,
    ort_errors.InvalidArgument,
    ort_errors.NotImplemented,
    ort_errors.RuntimeException,
    MemoryError,
)


def predict(
    model: LoadedModel, tensors: Tensors, watchdog: Watchdog, deadline: float, outputs: list[str] | None = None
) -> list[NDArray[Any]]:
    """The outputs of these names, or else those that the model's encoder asks for.

    A run that fails is tried once more without the memory that earlier runs have left, perhaps a neighbour's.

    Raises:
        Unavailable: the run was terminated at `deadline` (of `time.monotonic()`).
        InvalidRequest: the graph failed on these tensors.
    """
    options = watchdog.watch(deadline)
    names = outputs or model.encode.outputs
    try:
        try:
            return model.session.run(names, tensors, options)  # type: ignore[no-any-return]
        except RUN_ERRORS:
            if options.terminate:
                raise
            release_run_memory()
            return model.session.run(names, tensors, options)  # type: ignore[no-any-return]
    except RUN_ERRORS as error:
        if options.terminate:
            message = "the model did not answer in time; send fewer instances at once"
            raise Unavailable(message, code="deadline_exceeded", retry_after=RETRY_AFTER_SECONDS) from error
        raise InvalidRequest(f"the model failed on these inputs: {_cause(error)}", code="model_failed") from error
    finally:
        watchdog.release()


def _cause(error: Exception) -> str:
    return "a run gets no more memory" if isinstance(error, MemoryError) else reason(error)
