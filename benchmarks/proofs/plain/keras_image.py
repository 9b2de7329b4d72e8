"""Pictures with Keras: three convolutions and a dense layer, or residual blocks."""

import keras
import numpy as np

from benchmarks.proofs.plain.files import ARGUMENTS, TEST, TRAIN, VALIDATION, pictures, write


def residual(value, filters, stride):
    """Two convolutions and a short cut."""
    shorter = keras.layers.Conv2D(filters, 1, strides=stride)(value)
    value = keras.layers.Conv2D(filters, 3, strides=stride, padding="same", use_bias=False)(value)
    value = keras.layers.Activation("relu")(keras.layers.BatchNormalization()(value))
    value = keras.layers.BatchNormalization()(keras.layers.Conv2D(filters, 3, padding="same", use_bias=False)(value))
    return keras.layers.Activation("relu")(value + shorter)


keras.utils.set_random_seed(0)
(pixels, names), (pixels_validation, names_validation), (pixels_test, _) = map(pictures, (TRAIN, VALIDATION, TEST))
labels = np.unique(names)

given = keras.Input((*pixels.shape[1:], 1))
value = keras.layers.Rescaling(1 / 255)(given)
if ARGUMENTS[0] == "cnn":
    for filters in (32, 64, 64):
        value = keras.layers.Conv2D(filters, 3, padding="same", activation="relu")(value)
        value = keras.layers.MaxPooling2D()(value)
    value = keras.layers.Dense(64, activation="relu")(keras.layers.Flatten()(value))
    value = keras.layers.Dropout(0.3)(value)
    epochs, patience = 12, 4
else:
    for filters, stride in ((16, 1), (16, 1), (32, 2), (32, 1), (64, 2), (64, 1)):
        value = residual(value, filters, stride)
    value = keras.layers.GlobalAveragePooling2D()(value)
    epochs, patience = 15, 5
net = keras.Model(given, keras.layers.Dense(len(labels), activation="softmax")(value))
net.compile("adam", "sparse_categorical_crossentropy", ["accuracy"])
stop = keras.callbacks.EarlyStopping(patience=patience, restore_best_weights=True)
held_out = (pixels_validation[..., None], np.searchsorted(labels, names_validation))
net.fit(
    pixels[..., None],
    np.searchsorted(labels, names),
    batch_size=32,
    epochs=epochs,
    validation_data=held_out,
    callbacks=[stop],
    verbose=2,
)
write(labels[net.predict(pixels_test[..., None], verbose=0).argmax(axis=1)])
