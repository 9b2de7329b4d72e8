"""What `optimize` gains on each family of networks: jobs that ask for int8 and float16, by what their manifests tell.

uv run python -m benchmarks.smaller_forms
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.tables import machine, number, table
from tests.kinds import digits, reviews, shops
from tests.ml_tree import Data, Tree, builtin, run_entry, write_tree

FORMS = ("int8", "float16")


class Family(NamedTuple):
    """A job; `more` are fields of its spec."""

    name: str
    data: Data
    algorithm: str
    settings: dict[str, Any]
    more: dict[str, Any]


def families() -> list[Family]:
    """Small data, and networks of usual size, not trained to the end."""
    forecast = {"time": "hour", "series": "shop", "horizon": 24}
    return [
        Family("mlp 64, 32", builtin("digits"), "mlp", {"epochs": 20}, {}),
        Family("mlp 1024, 1024", builtin("digits"), "mlp", {"layers": [1024, 1024], "epochs": 20}, {}),
        Family("text_linear", reviews(2000), "text_linear", {"tokens": "characters", "ngrams": 4}, {}),
        Family("text lstm", reviews(1000), "lstm", {"epochs": 4}, {}),
        Family("transformer", reviews(1000), "transformer", {"epochs": 4}, {}),
        Family("cnn", digits(), "cnn", {"epochs": 8}, {}),
        Family("resnet", digits(), "resnet", {"epochs": 8}, {}),
        Family("forecast lstm", shops(), "lstm", {"epochs": 4}, forecast),
    ]


def main() -> None:
    """Train each family once for each form and print what became of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--families", help="names, separated by semicolons; all without it")
    names = parser.parse_args().families
    print(machine())
    chosen = [family for family in families() if names is None or family.name in names.split(";")]
    header = ["model", "form", "bytes", "size", "load", "one row", "32 rows", "metric", "before", "after", "kept"]
    print(table(header, []))
    with tempfile.TemporaryDirectory(prefix="modelmill-bench-") as folder:
        for family in chosen:
            for form in FORMS:
                cells = row(family.name, form, train(Path(folder), family, form))
                print(f"| {' | '.join(cells)} |", flush=True)


def train(folder: Path, family: Family, form: str) -> Tree:
    asked = {"quantize": form, "max_metric_loss": 0.01}
    tree = write_tree(
        folder / f"{family.name}-{form}",
        family.data,
        family.algorithm,
        hyperparameters=family.settings,
        optimize=asked,
        **family.more,
    )
    ended = run_entry(tree)
    if tree.failure is not None:
        raise SystemExit(f"{family.name}: {tree.failure}\n{ended.stderr[-2000:]}")
    return tree


def row(name: str, form: str, tree: Tree) -> list[str]:
    """Ratios are of the smaller form to the float32 graph."""
    found = tree.manifest.optimization or {}
    before, after = found["before"], found["after"]
    costs = ("model_bytes", "load_ms", "latency_us", "batch_latency_us")
    ratios = [number(after[cost] / before[cost]) for cost in costs]
    metrics = [f"{costs['metric']:.4f}" for costs in (before, after)]
    verdict = "yes" if found["kept"] else found["reason"]
    return [name, form, f"{before['model_bytes']:,}", *ratios, found["metric"], *metrics, verdict]


if __name__ == "__main__":
    main()
