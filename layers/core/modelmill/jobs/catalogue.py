"""The algorithms that can be trained, as data: the API lists them, requests are checked and jobs run against them.

Adding an algorithm is one entry here and one builder in `modelmill_training.algorithms`.
"""

from dataclasses import dataclass
from typing import Any

from modelmill.errors import FieldError, InvalidRequest

CATALOGUE_VERSION = 1

AUTO = "auto"

TABULAR_TASKS = ("regression", "binary", "multiclass")

_CLASS_WEIGHT = {
    "type": "string",
    "enum": ["none", "balanced"],
    "default": "none",
    "description": "Classification: 'balanced' weighs each class by the inverse of its frequency.",
}


@dataclass(frozen=True, slots=True)
class Algorithm:
    """One entry; `hyperparameters` maps each name to its JSON Schema, which always holds a default.

    A default of None means that training decides from the data; the manifest tells what was taken.
    """

    name: str
    title: str
    summary: str
    kinds: tuple[str, ...]
    tasks: tuple[str, ...]
    hyperparameters: dict[str, dict[str, Any]]

    def schema(self) -> dict[str, Any]:
        """The JSON Schema of a request's `hyperparameters` object."""
        return {"type": "object", "additionalProperties": False, "properties": self.hyperparameters}

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "name": self.name,
            "title": self.title,
            "summary": self.summary,
            "kinds": list(self.kinds),
            "tasks": list(self.tasks),
            "hyperparameters": self.schema(),
        }


_ENTRIES = (
    Algorithm(
        name=AUTO,
        title="Automatic choice",
        summary="Cross-validates the other algorithms within a time budget and trains the best one on all rows.",
        kinds=("tabular",),
        tasks=TABULAR_TASKS,
        hyperparameters={
            "time_budget_s": {
                "type": "integer",
                "minimum": 1,
                "maximum": 3600,
                "default": 600,
                "description": "Seconds for trying and training; what does not fit is listed as not finished.",
            },
        },
    ),
    Algorithm(
        name="linear",
        title="Linear model",
        summary="Least squares for regression, logistic regression for classification. Tiny, fast, a good baseline.",
        kinds=("tabular",),
        tasks=TABULAR_TASKS,
        hyperparameters={
            "C": {
                "type": "number",
                "minimum": 1e-6,
                "maximum": 1e6,
                "default": 1.0,
                "description": "Classification: inverse strength of the L2 penalty.",
            },
            "alpha": {
                "type": "number",
                "minimum": 0,
                "maximum": 1e6,
                "default": 0.0,
                "description": "Regression: strength of the L2 (ridge) penalty; 0 is ordinary least squares.",
            },
            "max_iter": {
                "type": "integer",
                "minimum": 1,
                "maximum": 100_000,
                "default": 1000,
                "description": "Classification: the solver's iterations at most.",
            },
            "class_weight": _CLASS_WEIGHT,
        },
    ),
    Algorithm(
        name="svm",
        title="Support vector machine",
        summary="The widest margin between classes, or a tube around a curve. Strong on few rows; learns from at most "
        "max_rows.",
        kinds=("tabular",),
        tasks=TABULAR_TASKS,
        hyperparameters={
            "kernel": {
                "type": "string",
                "enum": ["rbf", "poly", "linear"],
                "default": "rbf",
                "description": "How alike two rows are: by their distance (rbf), by a polynomial, or linearly.",
            },
            "C": {
                "type": "number",
                "minimum": 1e-4,
                "maximum": 1e4,
                "default": 1.0,
                "description": "Price of a row on the wrong side of the margin; less is smoother.",
            },
            "gamma": {
                "type": ["number", "null"],
                "minimum": 1e-6,
                "maximum": 1e3,
                "default": None,
                "description": "Kernels rbf and poly: how near a row must be to matter; null takes 1 / (columns of the "
                "matrix * their variance).",
            },
            "degree": {
                "type": "integer",
                "minimum": 2,
                "maximum": 6,
                "default": 3,
                "description": "Kernel poly: degree of the polynomial.",
            },
            "coef0": {
                "type": "number",
                "minimum": 0,
                "maximum": 100,
                "default": 1.0,
                "description": "Kernel poly: its constant, the weight of the lower degrees.",
            },
            "epsilon": {
                "type": "number",
                "minimum": 0,
                "maximum": 10,
                "default": 0.1,
                "description": "Regression: errors below it cost nothing, in deviations of the target.",
            },
            "class_weight": _CLASS_WEIGHT,
            "max_rows": {
                "type": "integer",
                "minimum": 100,
                "maximum": 50_000,
                "default": 10_000,
                "description": "Of more training rows a random sample is learned from, classes in their shares: time "
                "grows with the square of the rows.",
            },
            "max_iter": {
                "type": "integer",
                "minimum": 1,
                "maximum": 100_000_000,
                "default": 1_000_000,
                "description": "The solver's iterations at most.",
            },
        },
    ),
    Algorithm(
        name="decision_tree",
        title="Decision tree",
        summary="One tree of yes-or-no questions, pruned by the validation rows. Readable; forests predict better.",
        kinds=("tabular",),
        tasks=TABULAR_TASKS,
        hyperparameters={
            "criterion": {
                "type": "string",
                "enum": ["gini", "entropy"],
                "default": "gini",
                "description": "Classification: what splits are judged by. For regression it is the squared error.",
            },
            "max_depth": {
                "type": ["integer", "null"],
                "minimum": 1,
                "maximum": 64,
                "default": None,
                "description": "Depth at most; null sets no limit.",
            },
            "min_samples_leaf": {
                "type": ["integer", "null"],
                "minimum": 1,
                "maximum": 1_000_000,
                "default": None,
                "description": "Rows in a leaf at least; null takes 1, more for more than 10,000 rows.",
            },
            "ccp_alpha": {
                "type": ["number", "null"],
                "minimum": 0,
                "maximum": 10,
                "default": None,
                "description": "What a leaf must gain to stay: the share of impurity, or of the target's variance. "
                "0 prunes nothing; null takes what predicts the validation rows best.",
            },
            "class_weight": _CLASS_WEIGHT,
        },
    ),
    Algorithm(
        name="random_forest",
        title="Random forest",
        summary="Averages decision trees grown on random samples. Robust without tuning; larger than the others.",
        kinds=("tabular",),
        tasks=TABULAR_TASKS,
        hyperparameters={
            "trees": {
                "type": ["integer", "null"],
                "minimum": 1,
                "maximum": 2000,
                "default": None,
                "description": "Number of trees; null takes 100, fewer for more than 50,000 rows.",
            },
            "max_depth": {
                "type": ["integer", "null"],
                "minimum": 1,
                "maximum": 64,
                "default": None,
                "description": "Depth of a tree at most; null sets no limit.",
            },
            "min_samples_leaf": {
                "type": ["integer", "null"],
                "minimum": 1,
                "maximum": 1_000_000,
                "default": None,
                "description": "Rows in a leaf at least; null takes 1, more for more than 10,000 rows.",
            },
            "max_features": {
                "type": ["string", "null"],
                "enum": ["sqrt", "log2", "all", None],
                "default": None,
                "description": "Features tried at a split; null takes sqrt for classification, all for regression.",
            },
            "class_weight": _CLASS_WEIGHT,
        },
    ),
    Algorithm(
        name="gradient_boosting",
        title="Gradient boosting",
        summary="Adds small trees, each correcting the ones before it, on histograms. Usually the best on tables.",
        kinds=("tabular",),
        tasks=TABULAR_TASKS,
        hyperparameters={
            "max_iter": {
                "type": "integer",
                "minimum": 1,
                "maximum": 5000,
                "default": 100,
                "description": "Boosting rounds (for several classes: trees per class).",
            },
            "learning_rate": {
                "type": "number",
                "minimum": 1e-4,
                "maximum": 1.0,
                "default": 0.1,
                "description": "Share of each tree's correction that is kept.",
            },
            "max_leaf_nodes": {
                "type": "integer",
                "minimum": 2,
                "maximum": 1024,
                "default": 31,
                "description": "Leaves of a tree at most.",
            },
            "max_depth": {
                "type": ["integer", "null"],
                "minimum": 1,
                "maximum": 64,
                "default": None,
                "description": "Depth of a tree at most; null sets no limit.",
            },
            "min_samples_leaf": {
                "type": ["integer", "null"],
                "minimum": 1,
                "maximum": 1_000_000,
                "default": None,
                "description": "Rows in a leaf at least; null takes 20, fewer for less than 400 rows.",
            },
            "l2": {
                "type": "number",
                "minimum": 0,
                "maximum": 1e6,
                "default": 0.0,
                "description": "L2 penalty on the leaves' values.",
            },
            "class_weight": _CLASS_WEIGHT,
        },
    ),
    Algorithm(
        name="mlp",
        title="Neural network",
        summary="Dense layers trained with Keras, with early stopping on the validation rows.",
        kinds=("tabular",),
        tasks=TABULAR_TASKS,
        hyperparameters={
            "layers": {
                "type": "array",
                "items": {"type": "integer", "minimum": 1, "maximum": 4096},
                "maxItems": 16,
                "default": [64, 32],
                "description": "Units of each hidden layer; [] is a linear net.",
            },
            "activation": {
                "type": "string",
                "enum": ["relu", "tanh", "sigmoid", "elu", "gelu"],
                "default": "relu",
                "description": "Activation of the hidden layers.",
            },
            "optimizer": {
                "type": "string",
                "enum": ["adam", "adamw", "sgd", "rmsprop"],
                "default": "adam",
                "description": "Keras optimizer.",
            },
            "learning_rate": {
                "type": ["number", "null"],
                "minimum": 1e-6,
                "maximum": 10,
                "default": None,
                "description": "Null takes 0.01 for sgd and 0.001 for the others.",
            },
            "batch_size": {
                "type": ["integer", "null"],
                "minimum": 1,
                "maximum": 65_536,
                "default": None,
                "description": "Rows per step; null takes 32, more for more than 10,000 rows.",
            },
            "epochs": {
                "type": "integer",
                "minimum": 1,
                "maximum": 10_000,
                "default": 100,
                "description": "Passes over the training rows at most.",
            },
            "dropout": {
                "type": "number",
                "minimum": 0,
                "maximum": 0.95,
                "default": 0.0,
                "description": "Share of units left out at random after each hidden layer.",
            },
            "l2": {
                "type": "number",
                "minimum": 0,
                "maximum": 10,
                "default": 0.0,
                "description": "L2 penalty on the layers' weights.",
            },
            "patience": {
                "type": "integer",
                "minimum": 0,
                "maximum": 10_000,
                "default": 10,
                "description": "Epochs without a better validation loss before training stops and the best weights "
                "are restored; 0 trains all epochs and keeps the last weights.",
            },
        },
    ),
)

CATALOGUE: dict[str, Algorithm] = {entry.name: entry for entry in _ENTRIES}


def resolve_hyperparameters(algorithm: str, given: dict[str, Any]) -> dict[str, Any]:
    """All hyper-parameters of the algorithm: the given ones, and defaults for the rest.

    Raises:
        InvalidRequest: the algorithm is unknown, or a value breaks its schema; `errors` names each.
    """
    entry = CATALOGUE.get(algorithm)
    if entry is None:
        message = f"got {algorithm[:80]!r}, expected one of {', '.join(CATALOGUE)}"
        raise InvalidRequest(f"algorithm: {message}", errors=(FieldError("algorithm", message),))
    errors = _violations(entry, given)
    if errors:
        detail = "; ".join(f"{error.field}: {error.message}" for error in errors)
        raise InvalidRequest(detail, errors=errors)
    return {
        name: _copied(_typed(schema, given.get(name, schema["default"])))
        for name, schema in entry.hyperparameters.items()
    }


def _violations(entry: Algorithm, given: dict[str, Any]) -> tuple[FieldError, ...]:
    import jsonschema

    errors = []
    for name, value in given.items():
        schema = entry.hyperparameters.get(name)
        if schema is None:
            known = ", ".join(entry.hyperparameters)
            errors.append(FieldError(f"hyperparameters.{name}"[:120], f"unknown; {entry.name} takes {known}"))
        elif value != value or not jsonschema.Draft202012Validator(schema).is_valid(value):
            # NaN, which differs from itself, lies outside of no range for JSON Schema.
            message = f"got {_shown(value)}, expected {expectation(schema)}"
            errors.append(FieldError(f"hyperparameters.{name}", message))
    return tuple(errors)


def expectation(schema: dict[str, Any]) -> str:
    """What a hyper-parameter's schema accepts, in words."""
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if "enum" in schema:
        return "one of " + ", ".join("null" if value is None else repr(value) for value in schema["enum"])
    if "array" in types:
        return f"a list of at most {schema['maxItems']} items, each {expectation(schema['items'])}"
    noun = "an integer" if "integer" in types else "a number"
    suffix = " or null" if "null" in types else ""
    return f"{noun} from {schema['minimum']} to {schema['maximum']}{suffix}"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _typed(schema: dict[str, Any], value: Any) -> Any:
    if isinstance(value, list):
        return [_typed(schema["items"], item) for item in value]
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    return int(value) if "integer" in types else float(value)


def _copied(value: Any) -> Any:
    return list(value) if isinstance(value, list) else value
