"""Requests with texts and with pictures: what they may hold, and what is said of the rest."""

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tokenizers import Tokenizer, models, pre_tokenizers

from modelmill.datasets.pictures import open_picture, pixels
from modelmill.errors import SignatureMismatch
from modelmill.models.signature import image_signature
from modelmill.serving.bundle import BundleBroken
from modelmill.serving.decode_image import ImageDecoder
from modelmill.serving.decode_text import TextDecoder
from tests.kinds import png


@pytest.fixture
def texts(tmp_path: Path) -> TextDecoder:
    tokenizer = Tokenizer(models.WordLevel({"[PAD]": 0, "[UNK]": 1, "good": 2, "好": 3}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.enable_padding(pad_id=0)
    tokenizer.enable_truncation(4)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    return TextDecoder("review", tmp_path / "tokenizer.json")


def test_texts_become_ids_of_equal_length(texts: TextDecoder) -> None:
    found = texts([{"text": "good 好"}, {"review": "good"}, "so very good good good"])["input_ids"]

    assert found.dtype == np.int64
    assert found.tolist() == [[2, 3, 0, 0], [2, 0, 0, 0], [1, 1, 2, 2]]


def test_an_empty_text_is_padding(texts: TextDecoder) -> None:
    assert texts([{"text": ""}])["input_ids"].tolist() == [[0]]


@pytest.mark.parametrize(
    ("instance", "message"),
    [
        (None, "got null"),
        (3, "got a number"),
        ({"txt": "good"}, "got an object"),
        ({"text": "good", "more": 1}, "got an object"),
        ({"text": None}, "got null"),
        (["good"], "got an array"),
        ({"text": "x" * 200_000}, "200,000 characters"),
    ],
)
def test_what_is_no_text_is_named(texts: TextDecoder, instance: object, message: str) -> None:
    with pytest.raises(SignatureMismatch) as caught:
        texts(["good", instance])
    [error] = caught.value.errors
    assert error.field == "instances[1]"
    assert message in error.message


def test_a_broken_tokenizer_is_a_broken_bundle(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(BundleBroken):
        TextDecoder("review", tmp_path / "tokenizer.json")


@pytest.fixture
def pictures() -> ImageDecoder:
    return ImageDecoder(image_signature(4, 6, 1, ["a", "b"]))


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def test_pictures_become_pixels(pictures: ImageDecoder) -> None:
    grey = np.arange(24).reshape(4, 6)
    content = png(grey)

    found = pictures(
        [{"image": _base64(content)}, _base64(content), f"data:image/png;base64,{_base64(content)}", content]
    )

    assert found["pixels"].shape == (4, 4, 6, 1)
    assert all(np.array_equal(each[:, :, 0], grey) for each in found["pixels"])


def test_other_sizes_are_stretched_as_pillow_does(pictures: ImageDecoder) -> None:
    large = np.random.default_rng(0).integers(0, 256, (31, 17, 3)).astype(np.uint8)
    expected = Image.fromarray(large).convert("L").resize((6, 4), Image.Resampling.BILINEAR)

    assert np.array_equal(pictures([png(large)])["pixels"][0, :, :, 0], np.asarray(expected))


def test_a_camera_held_upright_and_glass_on_white() -> None:
    turned, file = Image.new("RGB", (2, 1), "white"), io.BytesIO()
    turned.putpixel((0, 0), (0, 0, 0))
    exif = Image.Exif()
    exif[0x0112] = 6
    turned.save(file, "PNG", exif=exif)
    assert open_picture(file.getvalue()).size == (1, 2)
    glass = Image.new("RGBA", (1, 1), (0, 0, 0, 0))
    assert pixels(glass, 1, 1, 3).tolist() == [[[255, 255, 255]]]


@pytest.mark.parametrize(
    ("instance", "message"),
    [
        ({"image": "%%%"}, "is not base64"),
        ({"picture": "aaaa"}, "got an object"),
        (None, "got null"),
        ({"image": _base64(b"GIF89a plus something")}, "cannot be read as PNG, JPEG or WebP"),
        ({"image": _base64(png(np.random.default_rng(0).integers(0, 256, (40, 40)))[:900])}, "cannot be read"),
        ({"image": ""}, "cannot be read"),
    ],
)
def test_what_is_no_picture_is_named(pictures: ImageDecoder, instance: object, message: str) -> None:
    with pytest.raises(SignatureMismatch) as caught:
        pictures([png(np.zeros((4, 6))), instance])
    [error] = caught.value.errors
    assert error.field == "instances[1]"
    assert message in error.message


def test_a_picture_of_too_many_pixels_is_refused_before_it_is_decoded(pictures: ImageDecoder) -> None:
    file = io.BytesIO()
    Image.new("1", (10_000, 10_000)).save(file, "PNG")
    with pytest.raises(SignatureMismatch, match="10000 x 10000 pixels"):
        pictures([file.getvalue()])
