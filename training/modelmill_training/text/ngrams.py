"""Counting sequences of tokens, as ONNX's TfIdfVectorizer does."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from modelmill_training.data import Integers
from modelmill_training.text.tokens import FIRST_WORD, Tokens


@dataclass(frozen=True, slots=True)
class Level:
    """N-grams of one length: each is an n-gram that is one shorter (its number one level below) and a token.

    keys: [kept] shorter * base + token, ascending; the place of a key is the n-gram's number.
    columns: [kept] the feature, -1 where it only leads to longer ones.
    """

    keys: Integers
    columns: Integers


@dataclass(frozen=True, slots=True)
class Ngrams:
    """The n-grams that are features. base: larger than every token id; grams: [features] token ids of each."""

    base: int
    levels: list[Level]
    grams: list[tuple[int, ...]]

    def count(self, tokens: Tokens) -> csr_matrix:
        """[texts, features] occurrences."""
        flat, texts = tokens.ids, tokens.text
        rows, columns = [], []
        numbers = np.zeros(len(flat), dtype=np.int64)
        for length, level in enumerate(self.levels, start=1):
            starts, found = _extend(flat, texts, numbers, length, self.base, level.keys)
            places = level.columns[found]
            rows.append(texts[starts[places >= 0]])
            columns.append(places[places >= 0])
            numbers = _scattered(starts, found, len(flat))
        row, column = np.concatenate(rows), np.concatenate(columns)
        shape = (tokens.texts, len(self.grams))
        return csr_matrix((np.ones(len(row)), (row, column)), shape=shape)


def choose(tokens: Tokens, base: int, longest: int, min_texts: int, max_features: int) -> Ngrams:
    """The n-grams up to a length that occur in at least `min_texts` texts, those of most texts."""
    flat, texts = tokens.ids, tokens.text
    numbers = np.zeros(len(flat), dtype=np.int64)
    keys_of, frequency_of = [], []
    for length in range(1, longest + 1):
        starts, keys = _keys(flat, texts, numbers, length, base)
        kept, frequency = _frequent(keys, texts[starts], min_texts)
        keys_of.append(kept)
        frequency_of.append(frequency)
        starts, found = _extend(flat, texts, numbers, length, base, kept)
        numbers = _scattered(starts, found, len(flat))
    return _ranked(base, keys_of, frequency_of, max_features)


def _ranked(base: int, keys_of: list[Integers], frequency_of: list[Integers], max_features: int) -> Ngrams:
    frequency = np.concatenate(frequency_of)
    best = np.sort(np.argsort(-frequency, kind="stable")[:max_features])
    column = np.full(len(frequency), -1, dtype=np.int64)
    column[best] = np.arange(len(best))
    levels, grams, start = [], [], 0
    shorter: list[tuple[int, ...]] = [()]
    for keys in keys_of:
        columns = column[start : start + len(keys)]
        start += len(keys)
        spelled = [(*shorter[key // base], int(key % base)) for key in keys.tolist()]
        grams += [gram for gram, place in zip(spelled, columns.tolist(), strict=True) if place >= 0]
        levels.append(Level(keys, columns))
        shorter = spelled
    return Ngrams(base, levels, grams)


def _keys(flat: Integers, texts: Integers, numbers: Integers, length: int, base: int) -> tuple[Integers, Integers]:
    """Where n-grams of a length start whose shorter ones are known, and their keys."""
    last = length - 1
    starts = np.arange(max(0, len(flat) - last))
    fits = (texts[starts] == texts[starts + last]) & (flat[starts + last] >= FIRST_WORD) & (numbers[starts] >= 0)
    starts = starts[fits]
    return starts, numbers[starts] * base + flat[starts + last]


def _extend(
    flat: Integers, texts: Integers, numbers: Integers, length: int, base: int, kept: Integers
) -> tuple[Integers, Integers]:
    """Where n-grams that are kept start, and their numbers."""
    starts, keys = _keys(flat, texts, numbers, length, base)
    places = np.minimum(np.searchsorted(kept, keys), max(0, len(kept) - 1))
    found = kept[places] == keys if len(kept) else np.zeros(len(keys), dtype=bool)
    return starts[found], places[found]


def _scattered(starts: Integers, numbers: Integers, size: int) -> Integers:
    result = np.full(size, -1, dtype=np.int64)
    result[starts] = numbers
    return result


def _frequent(keys: Integers, texts: Integers, min_texts: int) -> tuple[Integers, Integers]:
    """Keys that occur in enough texts, ascending, and in how many."""
    order = np.lexsort((texts, keys))
    keys, texts = keys[order], texts[order]
    new: NDArray[np.bool_] = np.ones(len(keys), dtype=bool)
    new[1:] = (keys[1:] != keys[:-1]) | (texts[1:] != texts[:-1])
    distinct, counts = np.unique(keys[new], return_counts=True)
    enough = counts >= min_texts
    return distinct[enough], counts[enough]
