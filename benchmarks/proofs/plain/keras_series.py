"""Forecasts with Keras: an LSTM over the window, all steps ahead at once."""

import keras
import numpy as np

from benchmarks.proofs.plain.files import write
from benchmarks.proofs.plain.series import MONTHS, WINDOW, windows

keras.utils.set_random_seed(0)
inputs, targets, last, scales = windows()
order = np.random.default_rng(0).permutation(len(inputs))
net = keras.Sequential([keras.Input((WINDOW, 1)), keras.layers.LSTM(64), keras.layers.Dense(MONTHS)])
net.compile("adam", "mse")
stop = keras.callbacks.EarlyStopping(patience=4, restore_best_weights=True)
net.fit(
    inputs[order, :, None],
    targets[order],
    batch_size=32,
    epochs=30,
    validation_split=0.15,
    callbacks=[stop],
    verbose=2,
)
write(net.predict(last[..., None], verbose=0) * scales[:, None])
