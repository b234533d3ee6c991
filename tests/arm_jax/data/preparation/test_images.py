import io

import numpy as np
import pytest

from arm_jax.data.preparation import Unusable, images
from arm_jax.errors import InputError

Image = pytest.importorskip("PIL.Image", reason="needs the extra 'media'")
RED, GREEN = (200, 30, 40), (20, 180, 60)


def two_halves(width=60, height=40):
    """Left red, right green."""
    x = np.full((height, width, 3), RED, np.uint8)
    x[:, width // 2 :] = GREEN
    return Image.fromarray(x)


def saved(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def near(x, color):
    return np.abs(x.astype(int) - color).max() < 12


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        ("RGB", "JPEG"), ("CMYK", "JPEG"), ("RGB", "PNG"), ("P", "PNG"),
        ("RGB", "GIF"), ("RGB", "WEBP"), ("RGB", "BMP"), ("RGBA", "PNG"),
    ],
)  # fmt: skip
def test_kinds(mode, kind):
    data = saved(two_halves().convert(mode), kind)
    x = images.pixels(images.jpeg(data, 20))
    assert (x.shape, x.dtype) == ((20, 30, 3), np.uint8)
    assert near(x[:, 2:10], RED)
    assert near(x[:, -10:-2], GREEN)


def test_progressive_and_grey():
    grey = two_halves().convert("L")
    x = images.pixels(images.jpeg(saved(grey, "JPEG", progressive=True), 20))
    assert x.shape == (20, 30, 3)
    assert near(x[:, 2:10], grey.getpixel((0, 0)))


def test_transparent_is_white():
    image = two_halves().convert("RGBA")
    image.putalpha(Image.fromarray(np.zeros((40, 60), np.uint8)))
    x = images.pixels(images.jpeg(saved(image, "PNG"), 20))
    assert near(x, (255, 255, 255))


@pytest.mark.parametrize("size", [(60, 40), (40, 60), (10, 10), (900, 600)])
def test_the_short_side_is_given(size):
    x = images.pixels(images.jpeg(saved(two_halves(*size), "JPEG"), 20))
    assert min(x.shape[:2]) == 20
    assert x.shape[1] / x.shape[0] == size[0] / size[1]


def test_of_a_long_side_the_middle_is_kept():
    x = images.pixels(images.jpeg(saved(two_halves(400, 20), "PNG"), 10))
    assert x.shape == (10, 10 * images.MOST_ASPECT, 3)
    assert near(x[:, 2:18], RED)
    assert near(x[:, 22:38], GREEN)


def damaged_png():
    data = bytearray(saved(two_halves(), "PNG"))
    data[60:70] = bytes(10)
    return bytes(data)


def damaged_avif():
    """Its decoder has errors of another kind."""
    features = pytest.importorskip("PIL.features")
    if not features.check("avif"):
        pytest.skip("this Pillow knows no AVIF")
    data = saved(two_halves(), "AVIF")
    at = data.index(b"mdat") + 4
    return data[:at] + bytes(len(data) - at)


def deep():
    return saved(Image.fromarray(np.zeros((8, 8), np.uint16)), "PNG")


NOISE = np.random.default_rng(0).integers(0, 255, (60, 60, 3), np.uint8)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: b"no image at all", "unreadable"),
        (lambda: saved(Image.fromarray(NOISE), "JPEG")[:900], "truncated"),
        (damaged_png, "damaged"),
        (damaged_avif, "damaged"),
        (deep, "depth"),
    ],
)
def test_damage(make, reason):
    with pytest.raises(Unusable) as error:
        images.jpeg(make(), 20)
    assert error.value.reason == reason
    assert error.value.detail


def test_too_many_pixels(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(Unusable) as error:
        images.jpeg(saved(two_halves(), "PNG"), 20)
    assert error.value.reason == "too_large"


def test_crops(rng):
    x = np.arange(7 * 9 * 3, dtype=np.uint8).reshape(7, 9, 3)
    np.testing.assert_array_equal(images.center_crop(x, 5), x[1:6, 2:7])
    places = set()
    for _ in range(300):
        part = images.random_crop(x, 5, rng)
        assert part.shape == (5, 5, 3)
        flipped = bool(part[0, 0, 0] > part[0, 1, 0])
        corner = part[0, -1 if flipped else 0, 0]
        top, left = divmod(int(corner) // 3, 9)
        places.add((top, left, flipped))
        expected = x[top : top + 5, left : left + 5]
        np.testing.assert_array_equal(
            part, expected[:, ::-1] if flipped else expected
        )
    # Every place, mirrored and not.
    assert len(places) == 3 * 5 * 2


def test_without_pillow(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "PIL", None)
    with pytest.raises(InputError, match=r"pillow: pip install 'arm-jax\[med"):
        images.library()
