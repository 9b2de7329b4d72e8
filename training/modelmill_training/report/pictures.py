"""Pictures of a report as SVG files, drawn from its numbers alone."""

import warnings
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

WIDTH, HEIGHT = 6.4, 4.8
MAX_BARS = 20
MAX_NAME = 40
MAX_LABELS = 10
MAX_CELLS_WITH_NUMBERS = 15

# The same report gives the same bytes.
SETTINGS: Any = {
    "svg.hashsalt": "modelmill",
    "svg.fonttype": "none",
    "figure.constrained_layout.use": True,
    "text.parse_math": False,
}
METADATA = {"Date": None}


def draw(report: dict[str, Any], folder: Path) -> list[str]:
    """Write what the report has numbers for; the names of the files."""
    names = []
    with mpl.rc_context(SETTINGS), warnings.catch_warnings():
        # Whoever looks at the picture has fonts of their own.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        for name, has, paint in PICTURES:
            if has(report):
                figure = Figure(figsize=(WIDTH, HEIGHT))
                paint(figure.subplots(), report)
                figure.savefig(folder / f"{name}.svg", metadata=METADATA)
                names.append(f"{name}.svg")
    return names


def _confusion_matrix(axes: Axes, report: dict[str, Any]) -> None:
    labels, matrix = list(map(_name, report["labels"])), report["metrics"]["test"]["confusion_matrix"]
    axes.imshow(matrix, cmap="Blues")
    axes.set(title="Confusion matrix, held-out rows", xlabel="predicted", ylabel="truth")
    axes.set_xticks(range(len(labels)), labels, rotation=90 if len(labels) > 5 else 0)
    axes.set_yticks(range(len(labels)), labels)
    if len(labels) > MAX_CELLS_WITH_NUMBERS:
        return
    largest = max(map(max, matrix)) or 1
    for row, counts in enumerate(matrix):
        for column, count in enumerate(counts):
            colour = "white" if count > largest / 2 else "black"
            axes.text(column, row, str(count), ha="center", va="center", color=colour)


def _roc(axes: Axes, report: dict[str, Any]) -> None:
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":")
    _lines(axes, report["roc"], "auc")
    axes.set(title="ROC, held-out rows", xlabel="false positive rate", ylabel="true positive rate")


def _precision_recall(axes: Axes, report: dict[str, Any]) -> None:
    _lines(axes, report["precision_recall"], "average_precision")
    axes.set(title="Precision and recall, held-out rows", xlabel="recall", ylabel="precision", ylim=(0, 1.05))


def _lines(axes: Axes, curves: list[dict[str, Any]], area: str) -> None:
    for curve in curves:
        axes.plot(*zip(*curve["points"], strict=True), label=f"{_name(curve['label'])} ({curve[area]:.3f})")
    axes.legend(fontsize="small")


def _calibration(axes: Axes, report: dict[str, Any]) -> None:
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":")
    for curve in report["calibration"]:
        points = [(each["predicted"], each["observed"]) for each in curve["bins"]]
        axes.plot(*zip(*points, strict=True), marker="o", label=_name(curve["label"]))
    axes.legend(fontsize="small")
    axes.set(title="Calibration, held-out rows", xlabel="predicted probability", ylabel="observed share")


def _residuals(axes: Axes, report: dict[str, Any]) -> None:
    found = report["residuals"]
    axes.scatter(found["predicted"], found["residual"], s=8, alpha=0.6)
    axes.axhline(0, color="grey", linestyle=":")
    axes.set(title="Residuals, held-out rows", xlabel="predicted", ylabel="truth − predicted")


def _truth_and_prediction(axes: Axes, report: dict[str, Any]) -> None:
    found = report["residuals"]
    ends = [min(found["truth"]), max(found["truth"])]
    axes.plot(ends, ends, color="grey", linestyle=":")
    axes.scatter(found["truth"], found["predicted"], s=8, alpha=0.6)
    axes.set(title="Truth and prediction, held-out rows", xlabel="truth", ylabel="predicted")


def _learning_curve(axes: Axes, report: dict[str, Any]) -> None:
    curve = report["learning_curve"]
    for name, label in (("loss", "train"), ("val_loss", "validation")):
        points = [(each["step"], each[name]) for each in curve if each.get(name) is not None]
        if points:
            axes.plot(*zip(*points, strict=True), label=label)
    axes.legend()
    axes.set(title="Learning curve", xlabel="epoch", ylabel="loss")


def _feature_importance(axes: Axes, report: dict[str, Any]) -> None:
    found = report["feature_importance"]
    top = found["columns"][:MAX_BARS][::-1]
    axes.barh([_name(each["column"]) for each in top], [each["importance"] for each in top])
    axes.set(title="Feature importance, held-out rows", xlabel=f"fall of {found['metric']} when shuffled")


def _shap(axes: Axes, report: dict[str, Any]) -> None:
    """A dot for each row where values have one sign to show, else bars by label."""
    found = report["shap"]
    if found["points"]:
        _shap_points(axes, found["points"][::-1])
    else:
        top = found["columns"][:MAX_BARS][::-1]
        names = [_name(each["column"]) for each in top]
        left = [0.0] * len(top)
        for label in list(top[0]["by_label"])[:MAX_LABELS]:
            sizes = [each["by_label"][label] / len(each["by_label"]) for each in top]
            axes.barh(names, sizes, left=left, label=_name(label))
            left = [start + size for start, size in zip(left, sizes, strict=True)]
        axes.legend(fontsize="small")
    what = f"SHAP value, {_name(found['unit'])}\nblue where the column is low, red where it is high"
    axes.set(
        title="What columns add to a prediction, held-out rows",
        xlabel=what if found["points"] else f"mean size of SHAP values, {_name(found['unit'])}",
    )


def _shap_points(axes: Axes, points: list[dict[str, Any]]) -> None:
    """Rows beside each other where they would hide each other; colours tell the column's own value."""
    axes.axvline(0, color="grey", linewidth=0.8)
    # As an image within the picture: thousands of dots would take as many elements.
    dots: dict[str, Any] = {"s": 8, "rasterized": True}
    for height, each in enumerate(points):
        values, own = np.array(each["values"]), np.array(each["own"], dtype=np.float64)
        known = ~np.isnan(own)
        heights = height + _spread(values)
        axes.scatter(values[~known], heights[~known], color="grey", **dots)
        ranks = np.searchsorted(np.sort(own[known]), own[known], side="left")
        colours: dict[str, Any] = {"c": ranks, "cmap": "coolwarm", "vmin": 0, "vmax": max(1, len(ranks) - 1)}
        axes.scatter(values[known], heights[known], **colours, **dots)
    axes.set_yticks(range(len(points)), [_name(each["column"]) for each in points])


def _spread(values: Any) -> Any:
    """Heights between -0.4 and 0.4: of values in one of fifty bins, alternately above and below."""
    bins = np.floor(50 * (values - values.min()) / (np.ptp(values) or 1))
    heights = np.zeros(len(values))
    for each in np.unique(bins):
        members = np.flatnonzero(bins == each)
        steps = np.arange(len(members))
        heights[members] = np.where(steps % 2, 1, -1) * np.ceil(steps / 2)
    return heights * 0.4 / max(1, np.abs(heights).max())


def _tuning_history(axes: Axes, report: dict[str, Any]) -> None:
    found = report["tuning"]
    done = [(each["number"], each["value"]) for each in found["history"] if each["value"] is not None]
    best = [(each["number"], each["best"]) for each in found["history"] if each["best"] is not None]
    if done:
        axes.step(*zip(*best, strict=True), where="post", color="grey", label="best so far")
        axes.plot(*zip(*done, strict=True), "o", markersize=4, label="trial")
        axes.legend(fontsize="small")
    axes.set(title="Search for hyper-parameters", xlabel="trial", ylabel=found["metric"])


def _tuning_importance(axes: Axes, report: dict[str, Any]) -> None:
    top = report["tuning"]["importances"][:MAX_BARS][::-1]
    axes.barh([_name(each["hyperparameter"]) for each in top], [each["importance"] for each in top])
    axes.set(title="Importance of the hyper-parameters", xlabel="share of the difference between trials")


def _optimization(axes: Axes, report: dict[str, Any]) -> None:
    found = report["optimization"]
    costs = {
        "bytes": "model_bytes",
        "time to\nload": "load_ms",
        "time for\none row": "latency_us",
        f"time for\n{found['batch_rows']} rows": "batch_latency_us",
    }
    shares = [found["after"][key] / found["before"][key] for key in costs.values()]
    bars = axes.bar(list(costs), shares)
    axes.bar_label(bars, [f"{share:.0%}" for share in shares])
    axes.axhline(1, color="grey", linestyle=":")
    verdict = "kept" if found["kept"] else "not kept"
    axes.set(title=f"{found['asked']['quantize']}, {verdict}", ylabel="share of the trained model's")


def _clusters(axes: Axes, report: dict[str, Any]) -> None:
    found = report["projection"]
    x, y, clusters = zip(*found["points"], strict=True)
    axes.scatter(x, y, s=10, alpha=0.7, c=clusters, cmap="tab20", vmin=0, vmax=max(19, *clusters))
    for number, (across, up) in enumerate(found["centres"]):
        axes.text(across, up, str(number), ha="center", va="center", weight="bold", bbox={"alpha": 0.6, "fc": "white"})
    shares = [*(f" ({share:.0%} of the variance)" for share in found["explained"]), ""]
    names = {"xlabel": f"first component{shares[0]}", "ylabel": f"second component{shares[1]}"}
    axes.set(title="Clusters, held-out rows", **names)


def _silhouettes(axes: Axes, report: dict[str, Any]) -> None:
    tried = report["silhouettes"]
    axes.plot([each["clusters"] for each in tried], [each["silhouette"] for each in tried], marker="o")
    axes.set(title="Silhouette, training rows", xlabel="clusters", ylabel="silhouette")


def _scores(axes: Axes, report: dict[str, Any]) -> None:
    found = report["score_histogram"]
    axes.stairs(found["counts"], found["edges"], fill=True)
    axes.axvline(report["threshold"], color="tab:red", linestyle="--", label=f"threshold {report['threshold']:.4g}")
    axes.set_yscale("symlog", linthresh=1)
    axes.legend()
    axes.set(title="Scores, held-out rows", xlabel="score", ylabel="rows")


def _forecast(axes: Axes, report: dict[str, Any]) -> None:
    """The first one; the report has more."""
    found = report["forecasts"][0]
    past, ahead = (_moments(found[name]) for name in ("past_times", "times"))
    axes.plot(past, found["past"], color="grey", label="history")
    axes.fill_between(ahead, found["lower"], found["upper"], alpha=0.25, label=f"{report['level']:.0%} interval")
    axes.plot(ahead, found["values"], label="forecast")
    truth = [float("nan") if value is None else value for value in found["truth"]]
    axes.plot(ahead, truth, color="black", marker=".", label="truth")
    axes.tick_params(axis="x", rotation=30)
    axes.legend(fontsize="small")
    axes.set(title=f"Forecast of held-out steps {_name(found['series'])}")


def _moments(times: list[str]) -> Any:
    return [datetime.fromisoformat(time) for time in times]


def _error_by_step(axes: Axes, report: dict[str, Any]) -> None:
    for name, errors in report["error_by_step"].items():
        axes.plot(range(1, len(errors) + 1), [float("nan") if each is None else each for each in errors], label=name)
    axes.legend()
    axes.set(title="Error by step ahead, held-out origins", xlabel="step", ylabel="mae", ylim=(0, None))


def _name(text: str) -> str:
    """Short; matplotlib leaves names that begin with an underscore out of a legend."""
    short = text if len(text) <= MAX_NAME else text[: MAX_NAME - 1] + "…"
    return f"\u200b{short}" if short.startswith("_") else short


def _present(*path: str) -> Callable[[dict[str, Any]], bool]:
    def has(report: dict[str, Any]) -> bool:
        found: Any = report
        for name in path:
            found = found.get(name) if isinstance(found, dict) else None
        return bool(found)

    return has


PICTURES: list[tuple[str, Callable[[dict[str, Any]], bool], Callable[[Axes, dict[str, Any]], None]]] = [
    ("confusion_matrix", _present("metrics", "test", "confusion_matrix"), _confusion_matrix),
    ("roc", _present("roc"), _roc),
    ("precision_recall", _present("precision_recall"), _precision_recall),
    ("calibration", _present("calibration"), _calibration),
    ("residuals", _present("residuals", "truth"), _residuals),
    ("truth_and_prediction", _present("residuals", "truth"), _truth_and_prediction),
    ("forecast", _present("forecasts"), _forecast),
    ("error_by_step", _present("error_by_step"), _error_by_step),
    ("learning_curve", _present("learning_curve"), _learning_curve),
    ("tuning_history", _present("tuning", "history"), _tuning_history),
    ("tuning_importance", _present("tuning", "importances"), _tuning_importance),
    ("optimization", _present("optimization"), _optimization),
    ("clusters", _present("projection", "points"), _clusters),
    ("silhouettes", _present("silhouettes"), _silhouettes),
    ("scores", _present("score_histogram"), _scores),
    ("feature_importance", _present("feature_importance", "columns"), _feature_importance),
    ("shap", _present("shap", "columns"), _shap),
]
