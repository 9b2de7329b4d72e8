"""What a model takes and gives: tensors for protocol clients, named columns for people."""

from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple

from modelmill.datasets.values import ColumnType

# A timestamp column takes this many neighbouring places in the numeric input, in this order, all in UTC:
# days since 1970-01-01 with fraction, year, month 1-12, day 1-31, weekday 0 = Monday, hour 0-23.
CALENDAR_PARTS = ("epoch_days", "year", "month", "day", "weekday", "hour")


# The Open Inference Protocol's names: https://github.com/kserve/open-inference-protocol
Datatype = Literal[
    "BOOL",
    "UINT8",
    "UINT16",
    "UINT32",
    "UINT64",
    "INT8",
    "INT16",
    "INT32",
    "INT64",
    "FP16",
    "FP32",
    "FP64",
    "BYTES",
]


# What a model was trained on; `tensor` is the kind of a model that was uploaded.
ModelKind = Literal["tabular", "text", "image", "timeseries", "tensor"]


class Tensor(NamedTuple):
    """One input or output of the graph; -1 is a variable dimension."""

    name: str
    datatype: Datatype
    shape: list[int]


@dataclass(frozen=True, slots=True)
class Feature:
    """A user's column and where it goes: `index` is its first place along the second axis of `input`.

    Numbers, integers, booleans (0 or 1) and timestamps (see CALENDAR_PARTS) go to `numeric`, missing as NaN;
    categories go to `categorical`, missing as ""; a text goes to `input_ids` as its tokens.
    """

    name: str
    type: ColumnType
    input: Literal["numeric", "categorical", "input_ids"]
    index: int

    @property
    def width(self) -> int:
        """How many places the column takes."""
        return len(CALENDAR_PARTS) if self.type == "timestamp" else 1


class Signature(NamedTuple):
    """The tensors of `model.onnx` and, for tabular models, the columns behind them.

    A text model has one column, the texts; an image model has none; of a `tensor` model people name the inputs.
    `forecast` is of `timeseries` alone, whose features are what else the history tells.
    """

    kind: ModelKind
    inputs: list[Tensor]
    outputs: list[Tensor]
    features: list[Feature]
    forecast: "Forecast | None" = None

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Signature":
        """The signature that `to_dict` wrote."""
        return cls(
            kind=data["kind"],
            inputs=[Tensor(**tensor) for tensor in data["inputs"]],
            outputs=[Tensor(**tensor) for tensor in data["outputs"]],
            features=[Feature(**feature) for feature in data["features"]],
            forecast=Forecast(**data["forecast"]) if data.get("forecast") else None,
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        known = {
            "kind": self.kind,
            "inputs": [tensor._asdict() for tensor in self.inputs],
            "outputs": [tensor._asdict() for tensor in self.outputs],
            "features": [asdict(feature) for feature in self.features],
        }
        return known | ({"forecast": self.forecast._asdict()} if self.forecast else {})


class Forecast(NamedTuple):
    """What a forecast is made from: the last `window` steps of `value`, to which it adds `horizon` more.

    time, value, series: columns of the dataset; series is None where there was only one.
    frequency: a name of `models.frequency`.
    """

    time: str
    value: str
    series: str | None
    frequency: str
    window: int
    horizon: int


# What is known of each step ahead, its time being in UTC:
# seconds since 1970-01-01, month 1-12, day 1-31, weekday 0 = Monday, hour 0-23.
STEP_PARTS = ("epoch_seconds", "month", "day", "weekday", "hour")


def timeseries_signature(forecast: Forecast, features: list[Feature]) -> Signature:
    """History, oldest step first, and the times of the steps ahead give these times, an interval and the forecast.

    `features` are further columns of the history.
    """
    widths = {name: sum(feature.input == name for feature in features) for name in ("numeric", "categorical")}
    inputs = [
        Tensor("history", "FP64", [-1, forecast.window]),
        Tensor("numeric", "FP64", [-1, forecast.window, widths["numeric"]]),
        Tensor("categorical", "BYTES", [-1, forecast.window, widths["categorical"]]),
        Tensor("steps", "FP64", [-1, forecast.horizon, len(STEP_PARTS)]),
    ]
    outputs = [Tensor(name, "FP64", [-1, forecast.horizon]) for name in ("times", "lower", "upper", "values")]
    return Signature("timeseries", [tensor for tensor in inputs if tensor.shape[-1]], outputs, features, forecast)


def tabular_signature(features: list[Feature], outputs: list[Tensor]) -> Signature:
    """Numbers in one tensor and categories in another, whichever there are."""
    widths = {"numeric": 0, "categorical": 0}
    for feature in features:
        widths[feature.input] += feature.width
    numeric = Tensor("numeric", "FP64", [-1, widths["numeric"]])
    categorical = Tensor("categorical", "BYTES", [-1, widths["categorical"]])
    inputs = [tensor for tensor in (numeric, categorical) if tensor.shape[1]]
    return Signature("tabular", inputs, outputs, features)


def value_outputs() -> list[Tensor]:
    """What a regression gives."""
    return [Tensor("value", "FP64", [-1, 1])]


def class_outputs(labels: list[str]) -> list[Tensor]:
    """What every classifier gives: the likeliest class and the probability of each."""
    return [Tensor("label", "BYTES", [-1]), Tensor("probabilities", "FP32", [-1, len(labels)])]


def cluster_outputs(clusters: int) -> list[Tensor]:
    """The number of the nearest centre, and the distance to each; numbers are in units of their deviation."""
    return [Tensor("cluster", "INT64", [-1]), Tensor("distances", "FP32", [-1, clusters])]


def anomaly_outputs(code_size: int | None = None) -> list[Tensor]:
    """Whether the score, higher where a row is stranger, is above the threshold; of an autoencoder also the code."""
    code = [] if code_size is None else [Tensor("embedding", "FP32", [-1, code_size])]
    return [Tensor("anomalous", "BOOL", [-1]), *code, Tensor("score", "FP32", [-1])]


def vector_outputs(width: int) -> list[Tensor]:
    """What an encoder gives: a vector of length 1 for each text."""
    return [Tensor("vector", "FP32", [-1, width])]


def text_signature(column: str, outputs: list[Tensor]) -> Signature:
    """Token ids of each text, the shorter ones filled up with the padding id of the bundle's tokenizer."""
    text = Feature(column, "text", "input_ids", 0)
    return Signature("text", [Tensor("input_ids", "INT64", [-1, -1])], outputs, [text])


def image_signature(height: int, width: int, channels: int, labels: list[str]) -> Signature:
    """Pictures of one size, shades from 0 to 255; 1 channel is grey, 3 are red, green and blue."""
    return Signature("image", [Tensor("pixels", "UINT8", [-1, height, width, channels])], class_outputs(labels), [])
