"""Predict: one run of a session, within its deadline."""

from typing import Any

from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from modelmill.errors import InvalidRequest, Unavailable
from modelmill.serving.load import LoadedModel
from modelmill.serving.tensors import Tensors
from modelmill.serving.watchdog import Watchdog

RETRY_AFTER_SECONDS = 1

RUN_ERRORS = (
    ort_errors.Fail,
    ort_errors.InvalidArgument,
    ort_errors.NotImplemented,
    ort_errors.RuntimeException,
)


def predict(
    model: LoadedModel, tensors: Tensors, watchdog: Watchdog, deadline: float, outputs: list[str] | None = None
) -> list[NDArray[Any]]:
    """The outputs of these names, or else those that the model's encoder asks for.

    Raises:
        Unavailable: the run was terminated at `deadline` (of `time.monotonic()`).
        InvalidRequest: the graph failed on these tensors.
    """
    options = watchdog.watch(deadline)
    try:
        return model.session.run(outputs or model.encode.outputs, tensors, options)  # type: ignore[no-any-return]
    except RUN_ERRORS as error:
        if options.terminate:
            message = "the model did not answer in time; send fewer instances at once"
            raise Unavailable(message, code="deadline_exceeded", retry_after=RETRY_AFTER_SECONDS) from error
        message = (
            "the model failed on these inputs: it may need other sizes, or more memory than a run gets; send fewer"
        )
        raise InvalidRequest(message, code="model_failed") from error
    finally:
        watchdog.release()
