"""Optimizers, learning-rate schedules and penalties from hyper-parameters (`jobs.catalogue.networks`)."""

import math
from typing import Any

import keras

OPTIMIZERS = {
    "adam": keras.optimizers.Adam,
    "adamw": keras.optimizers.AdamW,
    "sgd": keras.optimizers.SGD,
    "rmsprop": keras.optimizers.RMSprop,
}
LEARNING_RATES = {"sgd": 0.01}
USUAL_LEARNING_RATE = 0.001

SMALLEST_BATCH, LARGEST_BATCH = 32, 2048
STEPS_PER_EPOCH = 300

WARMUP_SHARE = 0.1
FINAL_SHARE = 0.01
# The length of the gradient of all weights together, at most.
LONGEST_STEP = 1.0


def decide(given: dict[str, Any], rows: int) -> None:
    """Replace a learning rate and a batch size of None by what is taken for so many training rows."""
    if given["learning_rate"] is None:
        given["learning_rate"] = LEARNING_RATES.get(given["optimizer"], USUAL_LEARNING_RATE)
    if given["batch_size"] is None:
        wanted = 2 ** round(math.log2(max(1, rows / STEPS_PER_EPOCH)))
        given["batch_size"] = min(LARGEST_BATCH, max(SMALLEST_BATCH, wanted))


def optimizer(given: dict[str, Any], rows: int) -> Any:
    """The Keras optimizer with its schedule over all epochs; `given` as `decide` leaves it."""
    steps = given["epochs"] * math.ceil(rows / given["batch_size"])
    return OPTIMIZERS[given["optimizer"]](learning_rate=_schedule(given["schedule"], given["learning_rate"], steps))


def fine_tuning(given: dict[str, Any], rows: int) -> Any:
    """AdamW as encoders are trained further with it: short steps at first and at the end, and none too long.

    Weight decay spares the numbers that the decay's authors spared: https://arxiv.org/abs/1810.04805
    """
    steps = given["epochs"] * math.ceil(rows / given["batch_size"])
    rate = _WarmupLinear(given["learning_rate"], max(1, round(WARMUP_SHARE * steps)), steps)
    made = keras.optimizers.AdamW(rate, weight_decay=given["weight_decay"], global_clipnorm=LONGEST_STEP)
    made.exclude_from_weight_decay(var_names=["bias", "scale", "shift"])
    return made


class _WarmupLinear(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """Up to the rate along a line, and down to zero along another."""

    def __init__(self, rate: float, warmup: int, steps: int) -> None:
        super().__init__()
        self._rate, self._warmup, self._steps = rate, warmup, max(steps, warmup + 1)

    def __call__(self, step: Any) -> Any:
        """The rate of a step, which counts from 0."""
        done = keras.ops.cast(step, "float32") + 1.0
        up, down = done / self._warmup, (self._steps - done) / (self._steps - self._warmup)
        return self._rate * keras.ops.maximum(keras.ops.minimum(up, down), 0.0)


def penalty(given: dict[str, Any]) -> Any:
    """The Keras regularizer of l1 and l2, or None."""
    if not given["l1"] and not given["l2"]:
        return None
    return keras.regularizers.L1L2(given["l1"], given["l2"])


def _schedule(name: str, rate: float, steps: int) -> Any:
    schedules = keras.optimizers.schedules
    if name == "constant":
        return rate
    if name == "exponential":
        return schedules.ExponentialDecay(rate, steps, FINAL_SHARE)
    if name == "cosine":
        return schedules.CosineDecay(rate, steps)
    warmup = max(1, round(WARMUP_SHARE * steps))
    return schedules.CosineDecay(0.0, max(1, steps - warmup), warmup_target=rate, warmup_steps=warmup)
