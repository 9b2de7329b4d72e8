"""A table with a small dense net of Keras."""

import keras
import numpy as np
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from benchmarks.proofs.plain.files import TEST, TRAIN, VALIDATION, table, write

keras.utils.set_random_seed(0)
parts = [table(path) for path in (TRAIN, VALIDATION, TEST)]
numbers, words, target = parts[0]
scaler = StandardScaler().fit(numbers)
encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False).fit(words) if words.shape[1] else None
features, features_validation, features_test = (
    np.hstack([scaler.transform(numbers), *([encoder.transform(words)] if encoder else [])])
    for numbers, words, _ in parts
)
if target.dtype.kind == "f":
    labels, outputs, activation, loss = None, 1, None, "mse"
    truth, truth_validation = ((part[2] - target.mean()) / target.std() for part in parts[:2])
else:
    labels = np.unique(target)
    outputs, activation, loss = len(labels), "softmax", "sparse_categorical_crossentropy"
    truth, truth_validation = (np.searchsorted(labels, part[2]) for part in parts[:2])

net = keras.Sequential(
    [
        keras.layers.Dense(64, activation="relu"),
        keras.layers.Dense(32, activation="relu"),
        keras.layers.Dense(outputs, activation=activation),
    ]
)
net.compile("adam", loss)
stop = keras.callbacks.EarlyStopping(patience=10, restore_best_weights=True)
validation = (features_validation, truth_validation)
net.fit(features, truth, batch_size=32, epochs=100, validation_data=validation, callbacks=[stop], verbose=0)
predicted = net.predict(features_test, verbose=0)
write(predicted[:, 0] * target.std() + target.mean() if labels is None else labels[predicted.argmax(axis=1)])
