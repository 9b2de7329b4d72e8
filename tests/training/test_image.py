"""Training on pictures: every algorithm learns, and pixels are the same in training and in serving."""

import base64
import io
import json

import numpy as np
import onnxruntime
import pytest
from PIL import Image

from modelmill.models.signature import image_signature
from modelmill.serving.decode_image import ImageDecoder
from tests.kinds import digits, png
from tests.ml_tree import Data
from tests.training.conftest import Train

# What TensorFlow and its ONNX export warn of in their own code.
pytestmark = [pytest.mark.filterwarnings(f"ignore::{name}Warning") for name in ("Deprecation", "Future", "User")]

FAST = {"epochs": 8, "learning_rate": 0.005, "augmentation": "shift"}


@pytest.mark.parametrize(
    ("algorithm", "settings"),
    [
        ("cnn", {"filters": [32, 64, 64], "dense": [64]} | FAST),
        ("resnet", {"filters": [8, 16], "blocks": 1} | FAST),
    ],
)
def test_it_learns_and_the_bundle_gives_the_same_by_hand(train: Train, algorithm: str, settings: dict) -> None:
    data = digits(900)

    tree = train(data, algorithm, hyperparameters=settings)

    assert tree.failure is None
    manifest = tree.manifest
    assert manifest.signature == image_signature(8, 8, 1, [str(digit) for digit in range(10)])
    assert manifest.parity["passed"]
    rows = tree.parts["test"]
    decode = ImageDecoder(manifest.signature)
    tensors = decode([{"image": base64.b64encode(data.values("image")[row]).decode()} for row in rows])
    session = onnxruntime.InferenceSession(tree.root / "model/model.onnx", providers=["CPUExecutionProvider"])
    labels = session.run(["label"], tensors)[0]
    accuracy = float(np.mean([found == data.values("label")[row] for found, row in zip(labels, rows, strict=True)]))
    assert manifest.metrics["test"]["accuracy"] == pytest.approx(accuracy)
    assert accuracy > 0.9
    report = json.loads((tree.root / "model/report.json").read_bytes())
    assert {"confusion_matrix.svg", "learning_curve.svg"} <= set(report["pictures"])


def test_colours_sizes_and_modes_are_brought_to_one_form(train: Train) -> None:
    random = np.random.default_rng(2)
    files, labels = [], []
    for place in range(80):
        colour = (200, 30, 30, 255) if place % 2 else (30, 30, 200, 90)
        size = (int(random.integers(12, 40)), int(random.integers(12, 40)))
        picture = Image.new(("RGB", "RGBA", "P")[place % 3], size, colour[: 4 if place % 3 == 1 else 3])
        file = io.BytesIO()
        noisy = picture if place % 3 else Image.blend(picture, Image.effect_noise(size, 90).convert("RGB"), 0.1)
        noisy.save(file, ("PNG", "WEBP")[place % 2])
        files.append(file.getvalue())
        labels.append("red" if place % 2 else "blue")
    columns = {
        "image": ("image", files),
        "label": ("category", labels),
        "name": ("text", [f"{place}.png" for place in range(80)]),
        "width": ("integer", [24] * 80),
        "height": ("integer", [16] * 80),
    }

    tree = train(
        Data(columns, "label", "binary", "image"),
        "cnn",
        hyperparameters={"filters": [8], "epochs": 6, "learning_rate": 0.01},
    )

    assert tree.failure is None
    assert tree.manifest.signature.inputs[0].shape == [-1, 16, 24, 3]
    assert tree.manifest.metrics["test"]["accuracy"] > 0.9


def test_the_same_picture_twice_stays_on_one_side_and_a_contradiction_is_named(train: Train) -> None:
    data = digits(200)
    files, labels = data.values("image"), data.values("label")
    files[50:60], labels[50:60] = files[60:70], labels[60:70]
    files[80] = files[81] = png(np.eye(8) * 255)
    labels[80], labels[81] = "1", "2"

    tree = train(data, "cnn", hyperparameters={"filters": [4], "dense": [], "epochs": 1})

    part_of = {row: part for part, rows in tree.parts.items() for row in rows}
    assert all(part_of[row] == part_of[row + 10] for row in range(50, 60))
    report = json.loads((tree.root / "model/report.json").read_bytes())
    [warning] = [each for each in report["warnings"] if each["code"] == "conflicting_labels"]
    assert data.values("name")[80] in warning["message"]
