"""The metrics that one number can be chosen by, by task; which way is better."""

from modelmill.models.manifest import Task

HIGHER, LOWER = True, False

_CLASSES = {"accuracy": HIGHER, "precision": HIGHER, "recall": HIGHER, "log_loss": LOWER}

# Whether more is better; the first of each is taken where none is asked for.
METRICS: dict[Task, dict[str, bool]] = {
    "regression": {"r2": HIGHER, "rmse": LOWER, "mae": LOWER, "mse": LOWER},
    "binary": {"roc_auc": HIGHER, "f1": HIGHER, **_CLASSES},
    "multiclass": {"f1": HIGHER, "roc_auc": HIGHER, **_CLASSES},
    "forecasting": {"mase": LOWER, "mae": LOWER, "rmse": LOWER, "mape": LOWER, "smape": LOWER},
}
