"""Pictures as arrays: the one way in which training and serving read them."""

import io
import warnings
from typing import TYPE_CHECKING, Any

from PIL import Image, ImageOps

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FORMATS = ("PNG", "JPEG", "WEBP")
MAX_PIXELS = 50_000_000


class BadPicture(ValueError):
    """Bytes that are no picture to learn from; `code` is `pixels` or `unreadable`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def open_picture(content: bytes) -> Image.Image:
    """The picture, decoded, upright as its camera said.

    Raises:
        BadPicture: it is no PNG, JPEG or WebP, is damaged, or has more than MAX_PIXELS.
    """
    with warnings.catch_warnings():
        # Of more pixels than it likes, which the limit below is far under or says itself.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            picture = Image.open(io.BytesIO(content), formats=FORMATS)
            if picture.width * picture.height > MAX_PIXELS:
                size = f"{picture.width} x {picture.height}"
                raise BadPicture("pixels", f"has {size} pixels; expected at most {MAX_PIXELS:,} in all")
            picture.load()
            return ImageOps.exif_transpose(picture)
        except Image.DecompressionBombError as error:
            raise BadPicture("pixels", f"has too many pixels; expected at most {MAX_PIXELS:,}") from error
        except (OSError, SyntaxError, ValueError, EOFError, MemoryError) as error:
            if isinstance(error, BadPicture):
                raise
            raise BadPicture("unreadable", "cannot be read as PNG, JPEG or WebP") from error


def pixels(picture: Image.Image, height: int, width: int, channels: int) -> "NDArray[np.uint8]":
    """[height, width, channels] of a picture, stretched to that size by bilinear interpolation.

    channels: 1 for shades of grey, 3 for red, green and blue. What is transparent becomes white.
    """
    import numpy as np  # not there where pictures are only looked at

    picture = _opaque(picture).convert("L" if channels == 1 else "RGB")
    if picture.size != (width, height):
        picture = picture.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(picture, dtype=np.uint8).reshape(height, width, channels)


def _opaque(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I"):
        # Sixteen bits of grey.
        return picture.convert("I").point(lambda value: value / 256).convert("L")
    if not picture.has_transparency_data:
        return picture
    layered: Any = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layered.size, "white"), layered)
