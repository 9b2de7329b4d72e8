"""From columns to the matrix that models are fitted on; `onnx_export` writes the same arithmetic as a graph."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modelmill.models.signature import Feature
from modelmill_training.data import Categories, Floats, Integers, Matrix, Numbers, Table

MAX_CATEGORIES = 100
MIN_CATEGORIES = 8
MAX_MATRIX_BYTES = 1024**3

# Keeps doubles within float32 whatever a request holds.
LIMIT = 1e30

# Values whose mean is this many deviations from zero lose digits in float32; a mean below TINY loses none.
FAR_FROM_ZERO = 100.0
TINY = 1e-30


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """What was learned from the training rows.

    fills, means, scales: [k], one per place of the numeric input.
    vocabularies: per categorical feature the values that get a place; any other is all zeros; "" is missing.
    """

    features: list[Feature]
    fills: Floats
    means: Floats
    scales: Floats
    vocabularies: list[list[str]]

    @property
    def numeric_width(self) -> int:
        """Places of the numeric input."""
        return len(self.fills)

    @property
    def shifts(self) -> Floats:
        """The means in units of the scales.

        Subtracted after the division: ONNX Runtime leaves out the subtraction of a mean below 1e-45.
        """
        return self.means / self.scales

    @property
    def centres(self) -> Floats:
        """What is taken off numbers that are not scaled, so that float32 tells values far from zero apart."""
        far = np.abs(self.means) > FAR_FROM_ZERO * self.scales
        return np.where(far & (np.abs(self.means) > TINY), self.means, 0.0)

    @property
    def width(self) -> int:
        """Columns of the matrix."""
        return self.numeric_width + sum(len(vocabulary) for vocabulary in self.vocabularies)

    def places(self) -> list[Integers]:
        """Per feature the columns of the matrix that are made of it."""
        sizes = [self.numeric_width, *(len(vocabulary) for vocabulary in self.vocabularies)]
        ends = np.cumsum(sizes)
        return [
            np.arange(ends[feature.index], ends[feature.index + 1])
            if feature.input == "categorical"
            else np.arange(feature.index, feature.index + feature.width)
            for feature in self.features
        ]

    def matrix(self, table: Table, *, scaled: bool) -> Matrix:
        """[N, width]: filled, scaled or centred, cast to float32; then one-hot categories."""
        result = np.zeros((table.rows, self.width), dtype=np.float32)
        place, centres = 0, self.centres
        for column in _numeric_columns(self.features, table):
            filled = np.where(np.isnan(column), self.fills[place], column)
            if scaled:
                filled = filled / self.scales[place] - self.shifts[place]
            elif centres[place]:
                filled = filled - centres[place]
            result[:, place] = np.clip(filled, -LIMIT, LIMIT)
            place += 1
        for feature, vocabulary in zip(categorical(self.features), self.vocabularies, strict=True):
            _set_ones(result, place, table.columns[feature.name], vocabulary)
            place += len(vocabulary)
        return result

    def inputs(self, table: Table) -> dict[str, NDArray[np.float64] | NDArray[np.object_]]:
        """The graph's inputs for the same rows."""
        inputs: dict[str, NDArray[np.float64] | NDArray[np.object_]] = {}
        if self.numeric_width:
            inputs["numeric"] = np.column_stack(list(_numeric_columns(self.features, table)))
        strings = [_as_categories(table, feature).strings() for feature in categorical(self.features)]
        if strings:
            inputs["categorical"] = np.column_stack(strings)
        return inputs


def fit_preprocessing(features: list[Feature], training: Table) -> Preprocessing:
    """Medians, means and deviations of the numbers; the most frequent values of each category."""
    moments = [_moments(column) for column in _numeric_columns(features, training)]
    fills, means, scales = np.array(moments, dtype=np.float64).reshape(-1, 3).T
    limit = _categories_at_most(len(moments), len(categorical(features)), training.rows)
    vocabularies = [_vocabulary(_as_categories(training, feature), limit) for feature in categorical(features)]
    return Preprocessing(features, fills, means, scales, vocabularies)


def categorical(features: list[Feature]) -> list[Feature]:
    """The features of the categorical input, in its order."""
    return [feature for feature in features if feature.input == "categorical"]


def _numeric_columns(features: list[Feature], table: Table) -> list[Floats]:
    columns: list[Floats] = []
    for feature in features:
        values = table.columns[feature.name]
        if isinstance(values, Numbers):
            columns.extend(values.values.T)
    return columns


def _as_categories(table: Table, feature: Feature) -> Categories:
    values = table.columns[feature.name]
    if not isinstance(values, Categories):
        raise TypeError(f"column {feature.name!r} holds no categories")
    return values


def _moments(column: Floats) -> tuple[float, float, float]:
    fill = float(np.nanmedian(column))
    filled = np.where(np.isnan(column), fill, column)
    # Dividing first keeps the squares of huge numbers finite.
    size = float(np.abs(filled).max()) or 1.0
    mean = float(np.mean(filled / size)) * size
    deviation = float(np.std(filled / size)) * size
    return fill, mean, deviation if deviation > 0 else 1.0


def _categories_at_most(numeric: int, categories: int, rows: int) -> int:
    if categories == 0:
        return 0
    affordable = MAX_MATRIX_BYTES // (4 * rows) - numeric
    return int(np.clip(affordable // categories, MIN_CATEGORIES, MAX_CATEGORIES))


def _vocabulary(values: Categories, limit: int) -> list[str]:
    names = [*values.names, ""]
    counts = np.bincount(values.codes % len(names), minlength=len(names))
    seen = sorted((place for place in range(len(names)) if counts[place]), key=lambda p: (-counts[p], names[p]))
    return sorted({names[place] for place in seen[:limit]})


def _set_ones(result: Matrix, start: int, values: object, vocabulary: list[str]) -> None:
    if not isinstance(values, Categories):
        raise TypeError("not a column of categories")
    places = {name: place for place, name in enumerate(vocabulary)}
    lookup: Integers = np.array([places.get(name, -1) for name in [*values.names, ""]], dtype=np.int64)
    place = lookup[values.codes]
    rows = np.flatnonzero(place >= 0)
    result[rows, start + place[rows]] = 1.0
