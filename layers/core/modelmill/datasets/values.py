"""What the values of a column may be, and which texts say that there is none."""

from typing import Literal, get_args

ColumnType = Literal["number", "integer", "category", "boolean", "text", "timestamp", "image"]
COLUMN_TYPES: tuple[str, ...] = get_args(ColumnType)

# What pandas reads as missing, too, and spaces.
MISSING = (
    "", " ", "  ", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>",
    "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null", " NA", " NaN", " nan", " null", " NULL",
)  # fmt: skip
