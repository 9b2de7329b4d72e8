"""Mean, deviation, quantiles and histogram of a column of numbers or timestamps.

Quantiles are exact up to 250,000 values; above, they are those of about as many, always the same ones.
"""

from dataclasses import dataclass, replace
from typing import Any

from modelmill.datasets.schema import QUANTILES, Column, Histogram
from modelmill.datasets.table import identifier
from modelmill.datasets.values import ColumnType

SAMPLED_VALUES = 250_000

_BINS = 20
# Squares of numbers above this overflow.
_HUGE = 1e100


@dataclass(frozen=True, slots=True)
class Spread:
    """A column of `present` values between its `least` and `most`, which are `low` and `high` as numbers."""

    type: ColumnType
    present: int
    least: Any
    most: Any
    low: float
    high: float

    @property
    def scale(self) -> float:
        """What values are divided by, so that their squares fit."""
        largest = max(abs(self.low), abs(self.high))
        return largest if largest > _HUGE else 1.0

    @property
    def edges(self) -> list[float]:
        """Bins of one each for a few whole numbers, else of equal width; a single edge twice for a single value."""
        low, high = self.low / self.scale, self.high / self.scale
        if low == high:
            return [low, high]
        if self.type == "integer" and high - low < _BINS:
            return [low + step for step in range(int(high - low) + 2)]
        inner = {low + (high - low) * step / _BINS for step in range(1, _BINS)}
        return [low, *sorted(inner - {low, high}), high]

    def question(self, name: str) -> str:
        """SQL of what `describe` needs. DuckDB's bins are open on the left; ours are not, so it gets negated values."""
        cell = identifier(name)
        value = f"CAST({f'epoch({cell})' if self.type == 'timestamp' else cell} AS DOUBLE) / {_literal(self.scale)}"
        sampled = f"hash(file_row_number) % {-(-self.present // SAMPLED_VALUES)} = 0"
        shares = ", ".join(map(_literal, QUANTILES))
        bounds = ", ".join(_literal(-edge) for edge in reversed(self.edges))
        return f"""favg({value}), stddev_samp({value}),
            quantile_cont(CASE WHEN {sampled} THEN {value} END, [{shares}]), histogram(-({value}), [{bounds}])"""

    def describe(
        self, column: Column, mean: float, stddev: float | None, cuts: list[float], bins: dict[float, int]
    ) -> Column:
        """The column with the answers; timestamps have no mean and no deviation."""
        edges = self.edges
        counts = [bins[-edge] for edge in edges[:-1]]
        if edges[0] != edges[-1]:
            counts[-1] += bins[-edges[-1]]
        column = replace(
            column,
            min=self.least,
            max=self.most,
            quantiles={str(share): cut * self.scale for share, cut in zip(QUANTILES, cuts, strict=True)},
            histogram=Histogram([edge * self.scale for edge in edges], counts),
        )
        if self.type == "timestamp":
            return replace(column, min=self.least.replace(".000000", ""), max=self.most.replace(".000000", ""))
        return replace(column, mean=mean * self.scale, stddev=None if stddev is None else stddev * self.scale)


def _literal(number: float) -> str:
    """The number as SQL, to the last bit: without an exponent it would be a decimal."""
    return f"{number:.17e}"
