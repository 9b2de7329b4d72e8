"""What a net does with all its rows, each time one call into TensorFlow, on all devices of the job together.

A batch is dealt among the replicas and its loss is the mean over all of its rows, so that the weights move as they
would with one replica. Only batch normalization sees no more than a replica's share.
"""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from modelmill_training.data import Floats
from modelmill_training.networks import devices

fold_in = tf.random.experimental.stateless_fold_in


class Steps:
    """Epochs and evaluations of one net; see `training.Trainer` for the arguments."""

    def __init__(
        self,
        net: Any,
        optimizer: Any,
        classes: int,
        weights: Floats | None,
        evaluation_batch: int,
        prepare: Callable[[Any], Any],
        vary: Callable[[Any, Any], Any],
    ) -> None:
        self._net, self._optimizer = net, optimizer
        self._strategy = devices.strategy()
        self.replicas = int(self._strategy.num_replicas_in_sync)
        self.classification = bool(classes)
        self._weights = None if weights is None else tf.constant(weights, tf.float32)
        self._evaluation_batch = evaluation_batch
        self._prepare, self._vary = prepare, vary
        kind = keras.losses.SparseCategoricalCrossentropy if classes else keras.losses.MeanSquaredError
        self._loss = kind(reduction="sum")
        self.train_epoch = tf.function(self._epoch, reduce_retracing=True)
        self.evaluate = tf.function(self._evaluation, reduce_retracing=True)

    def _epoch(self, features: Any, target: Any, order: Any, batch_size: Any, seed: Any) -> Any:
        """[2] mean loss and accuracy over all batches of an epoch, while the weights move."""
        rows, sums = tf.shape(order)[0], tf.zeros([2])
        for start in tf.range(0, rows, batch_size):
            places = order[start : start + batch_size]
            sums += self._dealt(self._learn, features, target, places, fold_in(seed, start))
        return sums / tf.cast(rows, tf.float32)

    def _evaluation(self, features: Any, target: Any) -> Any:
        """[2] mean loss and accuracy, nothing moves."""
        rows, sums = tf.shape(target)[0], tf.zeros([2])
        for start in tf.range(0, rows, self._evaluation_batch):
            places = tf.range(start, tf.minimum(start + self._evaluation_batch, rows))
            sums += self._dealt(self._judge, features, target, places, tf.zeros([2], tf.int32))
        return sums / tf.cast(rows, tf.float32)

    def _dealt(self, step: Callable[..., Any], features: Any, target: Any, places: Any, seed: Any) -> Any:
        """The sum of what a step gives for each replica's share of a batch."""
        rows = tf.cast(tf.size(places), tf.float32)
        if self.replicas == 1:
            return step(features, target, places, rows, seed)

        def share() -> Any:
            replica = tf.distribute.get_replica_context().replica_id_in_sync_group
            return step(features, target, places[replica :: self.replicas], rows, fold_in(seed, replica))

        return self._strategy.reduce("SUM", self._strategy.run(share), axis=None)

    def _learn(self, features: Any, target: Any, places: Any, rows: Any, seed: Any) -> Any:
        truth = tf.gather(target, places)
        with tf.GradientTape() as tape:
            inputs = self._vary(self._prepare(tf.gather(features, places)), seed)
            predicted = self._net(inputs, training=True)
            loss = self._total_loss(truth, predicted, rows)
            scaled = self._optimizer.scale_loss(loss)
        variables = self._net.trainable_variables
        # Those of embeddings come as a list with a part for each token. Replicas can only sum what has the same form,
        # and Keras's Adam squares the parts of one token before it adds them up.
        gradients = [tf.convert_to_tensor(gradient) for gradient in tape.gradient(scaled, variables)]
        self._optimizer.apply(gradients, variables)
        return tf.stack([loss * rows, self._correct(truth, predicted)])

    def _judge(self, features: Any, target: Any, places: Any, rows: Any, _seed: Any) -> Any:
        truth = tf.gather(target, places)
        predicted = self._net(self._prepare(tf.gather(features, places)), training=False)
        return tf.stack([self._total_loss(truth, predicted, rows) * rows, self._correct(truth, predicted)])

    def _total_loss(self, truth: Any, predicted: Any, rows: Any) -> Any:
        """The share of these rows in the mean loss of the batch's `rows`, and of its penalties."""
        shaped = tf.expand_dims(truth, 1) if truth.shape.rank == 1 and not self.classification else truth
        weights = None if self._weights is None else tf.gather(self._weights, truth)
        penalties = [penalty / self.replicas for penalty in self._net.losses]
        return tf.add_n([self._loss(shaped, predicted, weights) / rows, *penalties])

    def _correct(self, truth: Any, predicted: Any) -> Any:
        if not self.classification:
            return tf.constant(0.0)
        hits = tf.equal(tf.argmax(predicted, axis=1, output_type=tf.int32), truth)
        return tf.reduce_sum(tf.cast(hits, tf.float32))
