"""Half precision, where GPUs are built for it: faster products of matrices, with weights kept in single precision.

https://arxiv.org/abs/1710.03740
"""

from collections.abc import Iterable
from functools import cache
from typing import Any

import keras
import tensorflow as tf

SINGLE, MIXED = "float32", "mixed_float16"

# Compute capability from which NVIDIA's GPUs have tensor cores.
TENSOR_CORES = (7, 0)


def policy_for(capabilities: Iterable[tuple[int, int]]) -> str:
    """Keras's name of the policy for GPUs of these compute capabilities: all must gain; without any, none do."""
    lowest = min(capabilities, default=(0, 0))
    return MIXED if lowest >= TENSOR_CORES else SINGLE


@cache
def policy_of_this_machine() -> str:
    """The policy for the GPUs that TensorFlow sees."""
    details = map(tf.config.experimental.get_device_details, tf.config.list_physical_devices("GPU"))
    return policy_for(each.get("compute_capability", (0, 0)) for each in details)


def clone(net: Any, policy: str) -> Any:
    """A net of the same layers that computes by a policy, with weights of its own in single precision.

    What gives the outputs stays in single precision, where probabilities need their digits, and so do recurrent
    layers, which add up along a sequence.
    """
    kept = _outputs_of(net)

    def copy(layer: Any) -> Any:
        config = layer.get_config()
        recurrent = isinstance(layer, keras.layers.RNN | keras.layers.Wrapper)
        # What is no layer is an operation between layers, whose type is that of its inputs.
        if policy != SINGLE and isinstance(layer, keras.Layer) and layer.name not in kept and not recurrent:
            config["dtype"] = policy
        return layer.__class__.from_config(config)

    return keras.models.clone_model(net, clone_function=copy, recursive=True)


def _outputs_of(net: Any) -> set[str]:
    """Names of the layers that give the outputs of a net, or of the net within it that does."""
    layers = [output._keras_history.operation for output in net.outputs]
    inner = [_outputs_of(layer) for layer in layers if isinstance(layer, keras.Model)]
    return {layer.name for layer in layers}.union(*inner)
