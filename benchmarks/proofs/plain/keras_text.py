"""Texts with Keras, character by character: an LSTM in both directions, or an encoder of self-attention."""

import keras
import numpy as np

from benchmarks.proofs.plain.files import ARGUMENTS, TEST, TRAIN, VALIDATION, columns, write

LENGTH, VOCABULARY, WIDTH = 200, 8_000, 64

keras.utils.set_random_seed(0)
train, validation, test = (columns(path) for path in (TRAIN, VALIDATION, TEST))
labels = sorted(set(train["label"]))
truth, truth_validation = (np.array([labels.index(each) for each in part["label"]]) for part in (train, validation))
vectorize = keras.layers.TextVectorization(
    VOCABULARY, standardize=None, split="character", output_sequence_length=LENGTH
)
vectorize.adapt(train["text"])

ids = keras.Input((LENGTH,), dtype="int32")
if ARGUMENTS[0] == "lstm":
    value = keras.layers.Embedding(VOCABULARY, WIDTH, mask_zero=True)(ids)
    value = keras.layers.Bidirectional(keras.layers.LSTM(64))(value)
else:
    positions = keras.layers.Embedding(LENGTH, WIDTH)(keras.ops.arange(LENGTH))
    value = keras.layers.Embedding(VOCABULARY, WIDTH)(ids) + positions
    attended = keras.layers.MultiHeadAttention(2, WIDTH // 2)(value, value)
    value = keras.layers.LayerNormalization()(value + attended)
    dense = keras.layers.Dense(WIDTH)(keras.layers.Dense(128, activation="relu")(value))
    value = keras.layers.GlobalAveragePooling1D()(keras.layers.LayerNormalization()(value + dense))
value = keras.layers.Dropout(0.5)(value)
net = keras.Model(ids, keras.layers.Dense(len(labels), activation="softmax")(value))
net.compile("adam", "sparse_categorical_crossentropy", ["accuracy"])
stop = keras.callbacks.EarlyStopping(patience=2, restore_best_weights=True)
held_out = (vectorize(validation["text"]), truth_validation)
net.fit(
    vectorize(train["text"]), truth, batch_size=64, epochs=20, validation_data=held_out, callbacks=[stop], verbose=2
)
predicted = net.predict(vectorize(test["text"]), verbose=0)
write(np.array(labels)[predicted.argmax(axis=1)])
