"""The training loop of Keras networks: a whole epoch is one call into TensorFlow.

`Model.fit` spends 50 to 100 ms an epoch on starting iterators, ten times what a small net takes to learn.
"""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from modelmill_training.data import Floats, Integers, Matrix
from modelmill_training.failures import TrainingFailure
from modelmill_training.networks import devices, precision
from modelmill_training.networks.checkpoints import Keeper
from modelmill_training.networks.shuffling import shuffled
from modelmill_training.networks.state import FitState
from modelmill_training.networks.steps import Steps
from modelmill_training.progress import Progress

EVALUATION_BATCH = 4096

# Long trainings tell only about this many epochs.
MAX_REPORTS = 500


@dataclass(frozen=True, slots=True)
class Examples:
    """What is learned from: inputs [N, ...], and values [N] or [N, outputs], or class indexes [N].

    lengths: [N] where inputs are sequences, whose batches then hold about equally long ones.
    """

    inputs: NDArray[Any]
    target: Floats | Integers | Matrix
    lengths: Integers | None = None


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long to train.

    patience: epochs without a better validation loss before it stops and the best weights return; 0 never stops.
    seconds: stop after the epoch in which this much has passed, or None.
    """

    epochs: int
    batch_size: int
    patience: int
    seed: int
    seconds: float | None = None


class Trainer:
    """Trains one net on one set of rows.

    Args:
        net: called with a batch of features, gives probabilities [N, classes] or values [N, outputs].
        optimizer: makes a Keras optimizer.
        classes: how many there are, 0 for values.
        weights: [classes] what an error on each class counts, or None where all count alike.
        evaluation_batch: rows that are evaluated at once.
        half_precision: whether all inputs are numbers that half precision holds; it is used where GPUs gain from it.
        identity: what tells this net and its training from others; hyper-parameters, above all.
        prepare: what every batch of inputs goes through before the net sees it.
        vary: what batches of training inputs go through then, such as augmentation; given the batch and a seed [2] of
            its own.
    """

    def __init__(
        self,
        net: Any,
        optimizer: Callable[[], Any],
        *,
        classes: int,
        identity: Mapping[str, Any],
        weights: Floats | None = None,
        evaluation_batch: int = EVALUATION_BATCH,
        half_precision: bool = False,
        prepare: Callable[[Any], Any] = lambda inputs: inputs,
        vary: Callable[[Any, Any], Any] = lambda inputs, _seed: inputs,
    ) -> None:
        self._net = net
        self._policy = precision.policy_of_this_machine() if half_precision else precision.SINGLE
        self._identity = {**identity, "precision": self._policy}
        self._trained, self._optimizer = devices.replicated(net, optimizer, self._policy)
        self._steps = Steps(self._trained, self._optimizer, classes, weights, evaluation_batch, prepare, vary)

    def fit(
        self,
        train: Examples,
        validation: Examples,
        schedule: Schedule,
        progress: Progress,
        report: Callable[[int, float], None] | None = None,
    ) -> None:
        """Train the net in place; the weights of the best epoch stay when there is a patience.

        Where an earlier run of the job was ended within this fit, it goes on after the last epoch that was kept.

        Args:
            train: what is learned from.
            validation: what the best epoch is chosen by; may be empty.
            schedule: how long to train.
            progress: told the metrics of the epochs.
            report: told each epoch's validation loss without penalties; may raise to end the training.

        Raises:
            TrainingFailure: the loss is no longer a number.
        """
        arrays, held_out = self._tensors(train), self._tensors(validation)
        state = FitState(self._trained, self._optimizer, schedule.patience if len(validation.target) else 0)
        keeper = self._keeper(train, validation, schedule, progress)
        if found := keeper.found():
            state.load(*found)
            what = "is over" if state.done else "goes on"
            progress.log(f"the fit {what} after epoch {len(state.history)} of an earlier run of this job")
        if self._policy != precision.SINGLE:
            progress.log(f"trains with {self._policy}")
        end = math.inf if schedule.seconds is None else time.monotonic() + schedule.seconds
        for epoch in range(1, schedule.epochs + 1):
            if epoch > len(state.history):
                self._learn(train, arrays, held_out, schedule, state)
                if keeper.due():
                    keeper.keep(*state.dump())
            metrics, plain_loss = state.history[epoch - 1]
            if epoch % max(1, schedule.epochs // MAX_REPORTS) == 0 or epoch == schedule.epochs:
                progress.report("fit", epoch, schedule.epochs, metrics)
            if report is not None and plain_loss is not None:
                report(epoch, plain_loss)
            if epoch == len(state.history) and (state.done or state.exhausted or time.monotonic() > end):
                break
        if not state.done:
            state.finish()
            keeper.keep(*state.dump())
        if self._trained is not self._net:
            self._net.set_weights(self._trained.get_weights())

    def _learn(self, train: Examples, arrays: Any, held_out: Any, schedule: Schedule, state: FitState) -> None:
        """One more epoch."""
        epoch, batch = len(state.history) + 1, max(schedule.batch_size, self._steps.replicas)
        order = shuffled(len(train.target), train.lengths, batch, schedule.seed, epoch).astype(np.int32)
        if len(order) % batch < self._steps.replicas:
            # Too few rows are left for all replicas to get one, as they must.
            order = order[: len(order) - len(order) % batch]
        seed = tf.constant([schedule.seed, epoch], tf.int32)
        metrics = self._named(self._steps.train_epoch(*arrays, tf.constant(order), tf.constant(batch), seed))
        _require_number(metrics["loss"], epoch)
        if not len(held_out[1]):
            state.add(metrics, None)
            return
        metrics |= self._named(self._steps.evaluate(*held_out), "val_")
        state.add(metrics, metrics["val_loss"] - float(sum(self._trained.losses)))

    def _keeper(self, train: Examples, validation: Examples, schedule: Schedule, progress: Progress) -> Keeper:
        identity = self._identity | {
            "replicas": self._steps.replicas,
            "schedule": asdict(replace(schedule, seconds=None)),
        }
        return Keeper(progress, identity, (train.inputs, train.target, validation.inputs, validation.target))

    def _tensors(self, rows: Examples) -> tuple[Any, Any]:
        dtype = np.int32 if self._steps.classification else np.float32
        return tf.constant(rows.inputs), tf.constant(rows.target.astype(dtype))

    def _named(self, sums: Any, prefix: str = "") -> dict[str, float]:
        loss, correct = (float(value) for value in sums)
        return {f"{prefix}loss": loss, **({f"{prefix}accuracy": correct} if self._steps.classification else {})}


def _require_number(loss: float, epoch: int) -> None:
    if not math.isfinite(loss):
        raise TrainingFailure(
            "diverged", f"The training loss is {loss} after epoch {epoch}: ask for a lower learning_rate."
        )


def class_weights(target: Floats | Integers, classes: int, choice: str) -> Floats | None:
    """[classes] of the hyper-parameter `class_weight`: N / (classes * occurrences), or None for `none`."""
    if not classes or choice == "none":
        return None
    counts = np.bincount(target.astype(np.int64), minlength=classes)
    return len(target) / (classes * np.maximum(counts, 1)).astype(np.float64)
