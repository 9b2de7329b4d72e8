"""Small data sets of texts and of pictures."""

import io
import zipfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from tests.ml_tree import Data

GOOD = ("wonderful", "delicious", "friendly staff", "非常好", "推荐", "I'd come again", "très bon", "spotless room")
BAD = ("awful", "stale", "rude staff", "太差了", "失望", "never again", "très mauvais", "filthy room")
FILLERS = ("the hotel", "这家酒店", "breakfast", "our stay in May", "服务", "le petit déjeuner", "room 12", "the pool")


def review(mood: str, random: np.random.Generator) -> str:
    """A short text in several languages whose words mostly say what it is."""
    words = [str(random.choice(FILLERS)) for _ in range(3)]
    own, other = (GOOD, BAD) if mood == "good" else (BAD, GOOD)
    words += [str(random.choice(own if random.random() < 0.9 else other)) for _ in range(2)]
    return ", ".join(random.permutation(words))


def reviews(rows: int = 400, seed: int = 1) -> Data:
    """Texts, some of which are empty, and what they say."""
    random = np.random.default_rng(seed)
    labels = [str(random.choice(["good", "bad"])) for _ in range(rows)]
    texts: list[str | None] = [review(label, random) for label in labels]
    texts[3], texts[7] = None, "   "
    return Data({"review": ("text", texts), "mood": ("category", labels)}, "mood", "binary", "text")


def png(pixels: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.asarray(pixels, dtype=np.uint8)).save(file, "PNG")
    return file.getvalue()


def digit_files(count: int = 1797) -> list[tuple[str, str, bytes]]:
    """Name, label and PNG of scikit-learn's handwritten digits, 8 by 8."""
    found = load_digits()
    return [
        (f"{label}/{place}.png", str(label), png(picture * 15.9375))
        for place, (picture, label) in enumerate(zip(found.images[:count], found.target[:count], strict=True))
    ]


def digits(count: int = 1797) -> Data:
    """The digits as ingest leaves them."""
    names, labels, files = (list(each) for each in zip(*digit_files(count), strict=True))
    eights = ("integer", [8] * len(names))
    columns = {
        "image": ("image", files),
        "label": ("category", labels),
        "name": ("text", names),
        "width": eights,
        "height": eights,
    }
    return Data(columns, "label", "multiclass", "image")


def digits_archive(path: Path, count: int = 1797) -> Path:
    """The digits as a zip archive of class folders."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, _, content in digit_files(count):
            archive.writestr(f"digits/{name}", content)
    return path


def shops(steps: int = 600, count: int = 2, seed: int = 1) -> Data:
    """Hourly sales of shops of very different size: trend, a day's season, noise that lingers, what weather adds."""
    random, place = np.random.default_rng(seed), np.arange(steps)
    columns: dict[str, list[Any]] = {name: [] for name in ("hour", "shop", "sales", "warmth", "sky")}
    for number in range(count):
        noise = np.convolve(random.normal(0, 0.6, steps), [1, 0.5, 0.25])[:steps]
        warmth, sky = random.normal(0, 1, steps), random.choice(["clear", "grey"], steps)
        sales = 20 + 0.02 * place + 4 * np.sin(place * 2 * np.pi / 24) + np.cos(place * 4 * np.pi / 24) + noise
        sales[1:] += warmth[:-1] + np.where(sky[:-1] == "clear", 1.0, -1.0)
        columns["hour"] += [datetime(2026, 1, 1) + timedelta(hours=int(hour)) for hour in place]
        columns["shop"] += [f"shop {number}"] * steps
        columns["sales"] += (sales * 10.0 ** (3 * number)).tolist()
        columns["warmth"] += warmth.tolist()
        columns["sky"] += sky.tolist()
    types = {"hour": "timestamp", "shop": "category", "sales": "number", "warmth": "number", "sky": "category"}
    return Data({name: (types[name], values) for name, values in columns.items()}, "sales", "forecasting", "timeseries")
