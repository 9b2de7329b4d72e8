"""The machines and GPUs that train a net together: each takes a share of every batch."""

import os
from collections.abc import Callable
from functools import cache
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from modelmill_training.cluster import CLUSTER_VARIABLE, Cluster
from modelmill_training.networks import precision


@cache
def strategy() -> Any:
    """TensorFlow's strategy: over all machines, over the GPUs of one, or the default one, of one replica."""
    if CLUSTER_VARIABLE in os.environ:
        return tf.distribute.MultiWorkerMirroredStrategy()
    if len(tf.config.list_logical_devices("GPU")) > 1:
        return tf.distribute.MirroredStrategy()
    return tf.distribute.get_strategy()


def join(cluster: Cluster) -> None:
    """Connect to the other machines and wait for them; before anything else is done with TensorFlow."""
    os.environ[CLUSTER_VARIABLE] = cluster.tf_config()
    strategy()


def wait_for_all() -> None:
    """Return when every machine has come here: one that ends earlier takes the others down."""
    _sum_over_machines(np.array(1, np.int32))


def from_chief(content: bytes) -> bytes:
    """What the chief of the machines gives, on all of them; the content itself where there is one machine."""
    if CLUSTER_VARIABLE not in os.environ:
        return content
    mine = content if strategy().cluster_resolver.task_id == 0 else b""
    size = int(_sum_over_machines(np.array(len(mine), np.int32)))
    values = np.zeros(size, np.int32)
    values[: len(mine)] = np.frombuffer(mine, np.uint8)
    return bytes(_sum_over_machines(values).astype(np.uint8))


def _sum_over_machines(values: NDArray[np.int32]) -> NDArray[np.int32]:
    total = tf.function(lambda: strategy().reduce("SUM", strategy().run(lambda: tf.constant(values)), axis=None))
    return np.asarray(total(), np.int32)


def replicated(net: Any, make_optimizer: Callable[[], Any], policy: str) -> tuple[Any, Any]:
    """What is to be trained and its optimizer: the net itself, or a copy where there are several replicas or another
    precision.
    """
    if strategy().num_replicas_in_sync == 1 and policy == precision.SINGLE:
        optimizer = make_optimizer()
        optimizer.build(net.trainable_variables)
        return net, optimizer
    with strategy().scope():
        copy = precision.clone(net, policy)
        optimizer = make_optimizer()
        if policy == precision.MIXED:
            # Small gradients would vanish.
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
        optimizer.build(copy.trainable_variables)
    for variable, value in zip(copy.variables, net.variables, strict=True):
        variable.assign(value)
    return copy, optimizer
