"""Training pictures varied at random, each in its own way, inside the graph of the training step."""

import math
from collections.abc import Callable
from typing import Any

import tensorflow as tf

split = tf.random.experimental.stateless_split

# Shares of the side, of the size, and of a half turn.
SHIFT, ZOOM, TURN = 0.08, 0.1, 0.05


def augment(choice: str) -> Callable[[Any, Any], Any]:
    """What turns a batch [N, height, width, channels] of uint8 into its variations, by a seed [2]."""
    if choice == "none":
        return lambda pictures, _seed: pictures
    moves, turns, mirrors = choice != "flip", choice in ("shift_rotate", "all"), choice in ("flip", "all")

    def vary(pictures: Any, seed: Any) -> Any:
        count, seeds = tf.shape(pictures)[0], tf.unstack(split(seed, 5))
        varied = _move(pictures, TURN * math.pi if turns else 0.0, seeds) if moves else pictures
        if mirrors:
            chosen = tf.random.stateless_uniform([count, 1, 1, 1], seeds[4]) < 0.5
            varied = tf.where(chosen, tf.reverse(varied, [2]), varied)
        return varied

    return vary


def _move(pictures: Any, turn: float, seeds: list[Any]) -> Any:
    """Shifted, zoomed and turned about the centre; what comes in at the edges repeats them."""
    count = tf.shape(pictures)[0]
    angle, zoom = _uniform(count, turn, seeds[0]), _uniform(count, ZOOM, seeds[1])
    height, width = (tf.cast(tf.shape(pictures)[axis], tf.float32) for axis in (1, 2))
    scale = 1.0 + zoom
    cosine, sine = tf.cos(angle) * scale, tf.sin(angle) * scale
    middle_x, middle_y = (width - 1) / 2, (height - 1) / 2
    across = middle_x - cosine * middle_x + sine * middle_y + _uniform(count, SHIFT, seeds[2]) * width
    down = middle_y - sine * middle_x - cosine * middle_y + _uniform(count, SHIFT, seeds[3]) * height
    zero = tf.zeros([count])
    transforms = tf.stack([cosine, -sine, across, sine, cosine, down, zero, zero], axis=1)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=pictures,
        transforms=transforms,
        output_shape=tf.shape(pictures)[1:3],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="NEAREST",
    )


def _uniform(count: Any, most: float, seed: Any) -> Any:
    return tf.random.stateless_uniform([count], seed, -most, most)
