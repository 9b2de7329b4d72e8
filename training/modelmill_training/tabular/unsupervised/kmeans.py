"""k-means: rows in groups around centres (https://doi.org/10.1109/TIT.1982.1056489)."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn import metrics as sk
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA

from modelmill.models.signature import Tensor, cluster_outputs
from modelmill_training import parity
from modelmill_training.data import Floats, Integers, Matrix
from modelmill_training.failures import TrainingFailure
from modelmill_training.onnx_graph import DOUBLE, FLOAT, GraphBuilder, doubles
from modelmill_training.parity import Outputs
from modelmill_training.progress import Progress, finite
from modelmill_training.report.warnings import Finding, warning
from modelmill_training.split import sample
from modelmill_training.tabular.unsupervised import Request, Rows

SCALED = True
LIBRARIES = ("scikit-learn",)

# How many clusters are tried, and on how many rows; silhouettes grow with the square of theirs.
MOST_TRIED = 10
MAX_ROWS_TRIED = 10_000
MAX_ROWS_COMPARED = 2_000

MAX_POINTS = 1_000

# Below this silhouette, clusters overlap more than they differ.
WEAK_SILHOUETTE = 0.25


@dataclass(frozen=True, slots=True)
class Clusters:
    """A fitted model: `centres` [k, width], the one with most training rows first.

    tried: silhouette and inertia of each number of clusters that was tried.
    """

    centres: Floats
    tried: list[dict[str, Any]] = field(default_factory=list)

    @property
    def tensors(self) -> list[Tensor]:
        """See `Model`."""
        return cluster_outputs(len(self.centres))

    def predict(self, features: Matrix) -> Outputs:
        """See `Model`."""
        distances = sk.pairwise.euclidean_distances(features.astype(np.float64), self.centres)
        return {"cluster": distances.argmin(axis=1), "distances": distances}

    def write(self, builder: GraphBuilder, features: str) -> None:
        """See `Model`. In double: the difference of squares loses half of the digits."""
        rows = builder.cast(features, DOUBLE)
        axis = builder.constant(np.array([1]))
        squares = builder.node("ReduceSumSquare", rows, axis, keepdims=1)
        products = builder.node("MatMul", rows, builder.constant(doubles(-2 * self.centres.T)))
        sums = builder.node("Add", products, builder.constant(doubles(np.square(self.centres).sum(axis=1))))
        squared = builder.node("Max", builder.node("Add", sums, squares), builder.constant(doubles(0)))
        builder.node("ArgMin", squared, output="cluster", axis=1, keepdims=0)
        builder.node("Cast", builder.node("Sqrt", squared), output="distances", to=FLOAT)

    def margins(self, outputs: Outputs) -> Floats:
        """See `Model`: how much further the second centre is."""
        nearest = np.partition(outputs["distances"], 1, axis=1)
        margins: Floats = (nearest[:, 1] - nearest[:, 0]) / parity.spread(outputs["distances"])
        return margins

    def evaluate(self, rows: Rows, seed: int) -> dict[str, Any]:
        """silhouette (of a sample), davies_bouldin, calinski_harabasz, inertia."""
        labels = rows.outputs["cluster"]
        if not len(labels):
            return {}
        compared = sample(np.arange(len(labels)), MAX_ROWS_COMPARED, seed)
        return {
            "silhouette": _measure(sk.silhouette_score, rows.features[compared], labels[compared]),
            "davies_bouldin": _measure(sk.davies_bouldin_score, rows.features, labels),
            "calinski_harabasz": _measure(sk.calinski_harabasz_score, rows.features, labels),
            "inertia": finite(np.square(rows.outputs["distances"].min(axis=1)).sum()),
        }

    def describe(self, parts: dict[str, Rows], seed: int) -> dict[str, Any]:
        """See `Model`: `silhouettes` of what was tried, and a `projection` of held-out rows to two dimensions."""
        return {"silhouettes": self.tried, "projection": self._project(parts, seed)}

    def _project(self, parts: dict[str, Rows], seed: int) -> dict[str, Any]:
        """`points` [x, y, cluster] and `centres` [x, y] along the two directions in which training rows vary most."""
        learned, shown = parts["train"].features, parts["test"]
        rows = sample(np.arange(len(shown.features)), MAX_POINTS, seed)
        plane = PCA(min(2, *learned.shape), svd_solver="full").fit(learned)
        points, centres = (_flat(plane, each) for each in (shown.features[rows], self.centres))
        return {
            "explained": plane.explained_variance_ratio_.tolist(),
            "points": [
                [*point, int(cluster)] for point, cluster in zip(points, shown.outputs["cluster"][rows], strict=True)
            ],
            "centres": centres,
        }

    def warnings(self, parts: dict[str, Rows], metrics: dict[str, dict[str, Any]]) -> list[Finding]:  # noqa: ARG002
        """See `Model`."""
        found = metrics["test"].get("silhouette")
        if found is None or found >= WEAK_SILHOUETTE:
            return []
        text = f"the silhouette of held-out rows is {found:.2f}: clusters overlap, and may say little"
        return [warning("weak_clusters", f"{text}; try other features or another number of clusters")]


def fit(request: Request) -> Clusters:
    """See `Builder`.

    Raises:
        TrainingFailure: there are more clusters than different rows.
    """
    given, tried = request.hyperparameters, []
    if given["clusters"] is None:
        tried = _try(request)
        given["clusters"] = max(tried, key=lambda each: each["silhouette"])["clusters"] if tried else 2
    _check_distinct(request.train, given["clusters"])
    request.progress.report("fit")
    return Clusters(_by_size(_fit(request.train, request, given["clusters"])), tried)


def _fit(features: Matrix, request: Request, clusters: int) -> KMeans:
    given = request.hyperparameters
    estimator = KMeans(clusters, n_init=given["n_init"], max_iter=given["max_iterations"], random_state=request.seed)
    return estimator.fit(features)


def _by_size(estimator: KMeans) -> Floats:
    sizes = np.bincount(estimator.labels_, minlength=len(estimator.cluster_centers_))
    centres: Floats = estimator.cluster_centers_[np.argsort(-sizes, kind="stable")].astype(np.float64)
    return centres


def _try(request: Request) -> list[dict[str, Any]]:
    """Each number of clusters that can be compared, on a sample."""
    features = _some(request.train, MAX_ROWS_TRIED, request.seed)
    compared = sample(np.arange(len(features)), MAX_ROWS_COMPARED, request.seed)
    most = min(MOST_TRIED, len(np.unique(features, axis=0)) - 1)
    tried = []
    for clusters in range(2, most + 1):
        estimator = _fit(features, request, clusters)
        score = _measure(sk.silhouette_score, features[compared], estimator.labels_[compared])
        if score is not None:
            tried.append({"clusters": clusters, "silhouette": score, "inertia": float(estimator.inertia_)})
        _tell(request.progress, clusters, most, score)
    return tried


def _tell(progress: Progress, clusters: int, most: int, score: float | None) -> None:
    progress.report("fit", clusters, most, {"silhouette": score} if score is not None else {})


def _some(features: Matrix, limit: int, seed: int) -> Matrix:
    return features[sample(np.arange(len(features)), limit, seed)]


def _check_distinct(features: Matrix, clusters: int) -> None:
    # Most often the first rows say enough, and sorting all takes long.
    for looked_at in (features[:MAX_ROWS_TRIED], features):
        distinct = len(np.unique(looked_at, axis=0))
        if distinct >= clusters:
            return
    message = f"Got {distinct} different training rows, expected at least {clusters}, one for each cluster"
    raise TrainingFailure("too_few_rows", f"{message}: ask for fewer clusters, or add rows.")


def _measure(metric: Any, features: Matrix, labels: Integers) -> float | None:
    """None where the rows do not allow it: all in one cluster, or each in its own."""
    if not 2 <= len(np.unique(labels)) < len(labels):
        return None
    return finite(metric(features, labels))


def _flat(plane: PCA, features: Any) -> list[list[float]]:
    """Two coordinates each; of a single feature the second is 0."""
    points = plane.transform(features)
    flat: list[list[float]] = np.pad(points, ((0, 0), (0, 2 - points.shape[1]))).astype(np.float64).tolist()
    return flat
