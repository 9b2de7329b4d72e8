"""The training loop of Keras networks: a whole epoch is one call into TensorFlow.

`Model.fit` spends 50 to 100 ms an epoch on starting iterators, ten times what a small net takes to learn.
"""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from modelmill_training.data import Floats, Integers, Matrix
from modelmill_training.failures import TrainingFailure
from modelmill_training.networks.checkpoints import Keeper
from modelmill_training.networks.shuffling import shuffled
from modelmill_training.networks.state import FitState
from modelmill_training.progress import Progress

EVALUATION_BATCH = 4096

fold_in = tf.random.experimental.stateless_fold_in

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
        optimizer: a Keras optimizer.
        classes: how many there are, 0 for values.
        weights: [classes] what an error on each class counts, or None where all count alike.
        evaluation_batch: rows that are evaluated at once.
        identity: what tells this net and its training from others; hyper-parameters, above all.
        prepare: what a batch of training inputs goes through before the net sees it, such as augmentation; given the
            batch and a seed [2] of its own.
    """

    def __init__(
        self,
        net: Any,
        optimizer: Any,
        *,
        classes: int,
        identity: Mapping[str, Any],
        weights: Floats | None = None,
        evaluation_batch: int = EVALUATION_BATCH,
        prepare: Callable[[Any, Any], Any] = lambda inputs, _seed: inputs,
    ) -> None:
        self._net = net
        self._optimizer = optimizer
        self._classification = bool(classes)
        self._weights = None if weights is None else tf.constant(weights, tf.float32)
        self._evaluation_batch = evaluation_batch
        self._prepare = prepare
        self._identity = dict(identity)
        losses = keras.losses
        self._loss = losses.SparseCategoricalCrossentropy() if classes else losses.MeanSquaredError()
        optimizer.build(net.trainable_variables)
        self._train_epoch = tf.function(self._epoch, reduce_retracing=True)
        self._evaluate = tf.function(self._evaluation, reduce_retracing=True)

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
        state = FitState(self._net, self._optimizer, schedule.patience if len(validation.target) else 0)
        keeper = self._keeper(train, validation, schedule, progress)
        if found := keeper.found():
            state.load(*found)
            what = "is over" if state.done else "goes on"
            progress.log(f"the fit {what} after epoch {len(state.history)} of an earlier run of this job")
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

    def _learn(self, train: Examples, arrays: Any, held_out: Any, schedule: Schedule, state: FitState) -> None:
        """One more epoch."""
        epoch, rows = len(state.history) + 1, len(train.target)
        order = shuffled(rows, train.lengths, schedule.batch_size, schedule.seed, epoch).astype(np.int32)
        seed = tf.constant([schedule.seed, epoch], tf.int32)
        metrics = self._named(self._train_epoch(*arrays, tf.constant(order), tf.constant(schedule.batch_size), seed))
        _require_number(metrics["loss"], epoch)
        if not len(held_out[1]):
            state.add(metrics, None)
            return
        metrics |= self._named(self._evaluate(*held_out), "val_")
        state.add(metrics, metrics["val_loss"] - float(sum(self._net.losses)))

    def _keeper(self, train: Examples, validation: Examples, schedule: Schedule, progress: Progress) -> Keeper:
        identity = self._identity | {"schedule": asdict(replace(schedule, seconds=None))}
        return Keeper(progress, identity, (train.inputs, train.target, validation.inputs, validation.target))

    def _tensors(self, rows: Examples) -> tuple[Any, Any]:
        dtype = np.int32 if self._classification else np.float32
        return tf.constant(rows.inputs), tf.constant(rows.target.astype(dtype))

    def _named(self, sums: Any, prefix: str = "") -> dict[str, float]:
        loss, correct = (float(value) for value in sums)
        return {f"{prefix}loss": loss, **({f"{prefix}accuracy": correct} if self._classification else {})}

    def _epoch(self, features: Any, target: Any, order: Any, batch_size: Any, seed: Any) -> tuple[Any, Any]:
        """Mean loss and accuracy over all batches of an epoch, while the weights move."""
        rows = tf.shape(order)[0]
        loss_sum, correct = tf.constant(0.0), tf.constant(0.0)
        for start in tf.range(0, rows, batch_size):
            places = order[start : start + batch_size]
            truth = tf.gather(target, places)
            with tf.GradientTape() as tape:
                inputs = self._prepare(tf.gather(features, places), fold_in(seed, start))
                predicted = self._net(inputs, training=True)
                loss = self._total_loss(truth, predicted)
            variables = self._net.trainable_variables
            self._optimizer.apply(tape.gradient(loss, variables), variables)
            loss_sum += loss * tf.cast(tf.size(places), tf.float32)
            correct += self._correct(truth, predicted)
        return loss_sum / tf.cast(rows, tf.float32), correct / tf.cast(rows, tf.float32)

    def _evaluation(self, features: Any, target: Any) -> tuple[Any, Any]:
        """Mean loss and accuracy, nothing moves."""
        rows = tf.shape(target)[0]
        loss_sum, correct = tf.constant(0.0), tf.constant(0.0)
        for start in tf.range(0, rows, self._evaluation_batch):
            truth = target[start : start + self._evaluation_batch]
            predicted = self._net(features[start : start + self._evaluation_batch], training=False)
            loss_sum += self._total_loss(truth, predicted) * tf.cast(tf.shape(truth)[0], tf.float32)
            correct += self._correct(truth, predicted)
        return loss_sum / tf.cast(rows, tf.float32), correct / tf.cast(rows, tf.float32)

    def _total_loss(self, truth: Any, predicted: Any) -> Any:
        shaped = tf.expand_dims(truth, 1) if truth.shape.rank == 1 and not self._classification else truth
        weights = None if self._weights is None else tf.gather(self._weights, truth)
        return tf.add_n([self._loss(shaped, predicted, weights), *self._net.losses])

    def _correct(self, truth: Any, predicted: Any) -> Any:
        if not self._classification:
            return tf.constant(0.0)
        hits = tf.equal(tf.argmax(predicted, axis=1, output_type=tf.int32), truth)
        return tf.reduce_sum(tf.cast(hits, tf.float32))


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
