import io
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from arm_jax.data.preparation import flow, tvl1
from arm_jax.data.preparation.files import Unusable

PIL = pytest.importorskip("PIL.Image", reason="needs the extra 'media'")


def texture(shift, shape=(64, 96), seed=0):
    """Smooth noise that has moved right and down by so many pixels."""
    rng = np.random.default_rng(seed)
    big = ndimage.gaussian_filter(rng.random((shape[0] + 40, shape[1] + 40)), 2)
    big = 255 * (big - big.min()) / (big.max() - big.min())
    rows, columns = np.indices(shape, dtype=float) + 20
    at = [rows - shift[1], columns - shift[0]]
    return ndimage.map_coordinates(big, at, order=3)


@pytest.mark.parametrize(
    "shift", [(0.0, 0.0), (2.0, 1.0), (-3.5, 2.25), (0.3, -5.0)]
)
def test_a_shifted_texture_has_its_shift_as_flow(shift):
    uv = tvl1.flow(texture((0, 0)), texture(shift))
    assert (uv.shape, uv.dtype) == ((2, 64, 96), np.float32)
    inside = uv[:, 10:-10, 10:-10]
    error = np.abs(inside - np.array(shift)[:, None, None])
    assert np.quantile(error, 0.95) < 0.2


def test_a_mirrored_pair_has_mirrored_flow():
    one, other = texture((0, 0)), texture((2, 1))
    u, v = tvl1.flow(one, other)[:, 8:-8, 8:-8]
    mirrored = tvl1.flow(one[:, ::-1], other[:, ::-1])[:, 8:-8, 8:-8]
    np.testing.assert_allclose(mirrored[0], -u[:, ::-1], atol=0.05)
    np.testing.assert_allclose(mirrored[1], v[:, ::-1], atol=0.05)


def test_two_motions_have_a_border():
    """Of a total variation: constant on either side, and a jump between."""
    shift = (3.0, 0.0)
    one = np.hstack([texture((0, 0), seed=1)[:, :48], texture((0, 0))[:, 48:]])
    other = np.hstack([texture(shift, seed=1)[:, :48], texture((0, 0))[:, 48:]])
    u, _ = tvl1.flow(one, other)
    assert np.median(u[10:-10, 10:40]) == pytest.approx(3.0, abs=0.2)
    assert np.median(u[10:-10, 56:86]) == pytest.approx(0.0, abs=0.2)


def test_divergence_is_minus_the_adjoint_of_the_gradient():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 5, 7)).astype(np.float32)
    gradient = tvl1._gradient(x)
    dual = rng.normal(size=gradient.shape).astype(np.float32)
    # It is 0 where the gradient always is.
    dual[:, 0, :, -1] = dual[:, 1, -1] = 0
    left = (gradient * dual).sum()
    right = -(x * tvl1._divergence(dual)).sum()
    assert left == pytest.approx(right, rel=1e-4)


def test_grey_values():
    component = np.array([[-30.0, -20.0, -10.0], [0.0, 10.0, 25.0]])
    component = component.repeat(16, axis=0).repeat(16, axis=1)
    grey = flow.pixels(flow.image(component))
    blocks = grey.reshape(2, 16, 3, 16).mean(axis=(1, 3))
    expected = [[0, 0, 64], [128, 191, 255]]
    np.testing.assert_allclose(blocks, expected, atol=2)


def test_pixels_are_those_of_a_shorter_side_of_256():
    """Frames of 64 pixels: a pixel is four of the unit."""

    def picture(shift):
        grey = texture(shift).astype(np.uint8)
        return np.stack([grey] * 3, axis=-1)

    us, vs = flow.computed([picture((0, 0))], [picture((2, -1))])
    for images, expected in ((us, 8.0), (vs, -4.0)):
        grey = flow.pixels(images[0])[10:-10, 10:-10].mean()
        assert grey / 255 * 40 - 20 == pytest.approx(expected, abs=0.8)


def jpeg(value, size=(20, 16), mode="L"):
    out = io.BytesIO()
    PIL.new(mode, size, value).save(out, "JPEG")
    return out.getvalue()


@pytest.fixture
def folders(tmp_path):
    """Images 1 ... 9 of u, of value 10, 20, ...; of v the same and 100."""
    for name, offset in (("u", 0), ("v", 100)):
        (tmp_path / name).mkdir()
        for k in range(1, 10):
            file = tmp_path / name / f"frame{k:06d}.jpg"
            file.write_bytes(jpeg(10 * k + offset))
    return [str(tmp_path / "u"), str(tmp_path / "v")]


def test_archives_are_read_at_equal_distances(folders):
    u, v = flow.archived(folders, 3, 16)
    for images, offset in ((u, 0), (v, 100)):
        values = [flow.pixels(x).mean() - offset for x in images]
        # From frames 1, 5 and 8 of ten.
        np.testing.assert_allclose(values, [20, 60, 90], atol=1.5)
    # As they were.
    assert u[0] == jpeg(20)


def test_numbers_of_images_need_no_padding(folders, tmp_path):
    for folder in (tmp_path / "u", tmp_path / "v"):
        for file in folder.iterdir():
            file.rename(folder / f"flow_{int(file.stem[5:]) + 5}.jpg")
    u, _ = flow.archived(folders, 10, 16)
    values = [flow.pixels(x).mean() for x in u]
    # The last of ten frames has no image of its own.
    expected = [*range(10, 100, 10), 90]
    np.testing.assert_allclose(values, expected, atol=1.5)


def test_a_folder_that_users_may_not_look_into(folders, monkeypatch):
    def refuse(folder):
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr(type(Path()), "iterdir", refuse)
    with pytest.raises(Unusable) as error:
        list(flow.archived(folders, 3, 16))
    assert (error.value.reason, error.value.detail) == (
        "no_permission",
        folders[0],
    )


def test_part_of_an_archive_is_its_beginning(folders):
    u, _ = flow.archived(folders, 2, 16, share=4 / 9)
    values = [flow.pixels(x).mean() for x in u]
    np.testing.assert_allclose(values, [20, 40], atol=1.5)


def test_other_sizes_and_colours_are_made_alike(folders, tmp_path):
    file = tmp_path / "u" / "frame000002.jpg"
    file.write_bytes(jpeg((20, 20, 20), (40, 32), "RGB"))
    (u, _) = flow.archived(folders, 3, 16)
    assert flow.pixels(u[0]).shape == (16, 20)
    assert flow.pixels(u[0]).mean() == pytest.approx(20, abs=1.5)


def fewer(root):
    (root / "v" / "frame000009.jpg").unlink()


def few(root):
    for folder in ("u", "v"):
        for k in range(3, 10):
            (root / folder / f"frame{k:06d}.jpg").unlink()


def none(root):
    (root / "u").rename(root / "w")


def cut(root):
    file = root / "u" / "frame000002.jpg"
    file.write_bytes(file.read_bytes()[:300])


def vast(root):
    # Where the header of a JPEG has height and width.
    file = root / "u" / "frame000002.jpg"
    data = bytearray(file.read_bytes())
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = b"\xff" * 4
    file.write_bytes(data)


def page(root):
    (root / "u" / "frame000002.jpg").write_bytes(b"<html>gone</html>")


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (fewer, "flow_differs"), (few, "too_few_flow"), (none, "no_flow"),
        (cut, "flow_damaged"), (vast, "flow_damaged"), (page, "flow_damaged"),
    ],
)  # fmt: skip
def test_damaged_archives(folders, tmp_path, damage, reason):
    damage(tmp_path)
    with pytest.raises(Unusable) as error:
        list(flow.archived(folders, 3, 16))
    assert error.value.reason == reason
