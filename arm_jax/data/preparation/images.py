"""Images: into JPEG of one size, and crops of it. Needs the extra `media`."""

import io
import struct
import warnings
import zlib
from typing import Any

import numpy as np

from arm_jax.data.preparation.files import Unusable
from arm_jax.errors import InputError

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".gif", ".webp", ".bmp"})
QUALITY = 95
# Of a longer side, the middle part of so many short sides is kept.
MOST_ASPECT = 4
# What Pillow's decoders raise for damaged files.
DAMAGE = (
    OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError,
    TypeError, OverflowError, RuntimeError, struct.error, zlib.error,
)  # fmt: skip


def library() -> Any:
    """Returns Pillow's `Image`.

    Raises:
      InputError: It is not installed.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise InputError(
            "images need the package pillow: pip install 'arm-jax[media]'"
        ) from error
    return Image


def jpeg(data: bytes, short_side: int) -> bytes:
    """Returns an image of any usual kind as RGB JPEG of one short side.

    Whatever its name says, the content may be JPEG, PNG, GIF (the first
    picture), WebP or BMP, grey, CMYK or with a palette; what is transparent
    becomes white. It is not turned as EXIF says, which readers of the field do
    not do either.

    Args:
      data: The file.
      short_side: Pixels of the shorter side, also where it had fewer.

    Raises:
      Unusable: It cannot be decoded.
    """
    image_lib = library()
    try:
        with warnings.catch_warnings():
            # About odd metadata and many pixels, one for each file.
            warnings.simplefilter("ignore")
            with image_lib.open(io.BytesIO(data)) as image:
                # JPEG is decoded to a half or a quarter where that is enough.
                image.draft("RGB", (2 * short_side, 2 * short_side))
                image = _resized(_rgb(image_lib, image), short_side)
    except image_lib.DecompressionBombError as error:
        raise Unusable("too_large", str(error)) from None
    except image_lib.UnidentifiedImageError:
        raise Unusable("unreadable", f"starts with {data[:8]!r}") from None
    except DAMAGE as error:
        truncated = "truncated" in str(error).lower()
        reason = "truncated" if truncated else "damaged"
        raise Unusable(reason, str(error)[:100]) from None
    out = io.BytesIO()
    image.save(out, "JPEG", quality=QUALITY)
    return out.getvalue()


def _rgb(image_lib: Any, image: Any) -> Any:
    if image.mode in ("I", "F") or image.mode.startswith("I;"):
        raise Unusable("depth", f"pixels of mode {image.mode}, not of 8 bits")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = image_lib.new("RGBA", image.size, "white")
        image = image_lib.alpha_composite(white, image)
    return image.convert("RGB")


def _resized(image: Any, short_side: int) -> Any:
    width, height = image.size
    short = min(width, height)
    kept_x, kept_y = (min(n, MOST_ASPECT * short) for n in (width, height))
    left, top = (width - kept_x) // 2, (height - kept_y) // 2
    scale = short_side / short
    return image.resize(
        (round(kept_x * scale), round(kept_y * scale)),
        library().Resampling.BILINEAR,
        box=(left, top, left + kept_x, top + kept_y),
    )


def pixels(data: bytes) -> np.ndarray:
    """Returns the pixels of a prepared JPEG, uint8 `[height, width, 3]`."""
    with library().open(io.BytesIO(data)) as image:
        return np.asarray(image)


def center_crop(image: np.ndarray, size: int) -> np.ndarray:
    """Returns the middle of an image, `[size, size, 3]`."""
    top, left = ((n - size) // 2 for n in image.shape[:2])
    return image[top : top + size, left : left + size]


def random_crop(
    image: np.ndarray, size: int, rng: np.random.Generator
) -> np.ndarray:
    """Returns a part of an image, `[size, size, 3]`, mirrored or not."""
    top, left = (int(rng.integers(n - size + 1)) for n in image.shape[:2])
    part = image[top : top + size, left : left + size]
    return part[:, ::-1] if rng.random() < 0.5 else part
