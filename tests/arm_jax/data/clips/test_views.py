import io

import numpy as np
import pytest

from arm_jax.data.clips import views
from arm_jax.data.clips.views import Crop, View

PIL = pytest.importorskip("PIL.Image", reason="needs the extra 'media'")
STORED, WIDTH, HEIGHT = 10, 64, 48
EVERYTHING = ("audio", "flow", "video")


def jpeg(pixels):
    out = io.BytesIO()
    PIL.fromarray(pixels.astype(np.uint8)).save(
        out, "JPEG", quality=98, subsampling=0
    )
    return out.getvalue()


@pytest.fixture(scope="module")
def record():
    """Frame k: red is 20 k, green its column, blue its row; u, v likewise."""
    rows, columns = np.indices((HEIGHT, WIDTH))
    return {
        "frames": [
            jpeg(np.stack([0 * rows + 20 * k, 3 * columns, 4 * rows], axis=-1))
            for k in range(STORED)
        ],
        "u": [jpeg(128 + columns + 0 * k) for k in range(STORED)],
        "v": [jpeg(100 + 2 * rows) for _ in range(STORED)],
        "audio": np.full((5, 128), -4.503877, np.float16),
    }


def view(modalities=EVERYTHING, frames=3, size=32, audio="fbank"):
    return View(modalities, frames, size, audio)


def number_of(picture):
    return round(float(picture[..., 0].mean()) / 20)


def test_evaluation_sees_the_middles(record):
    example = view().settle(record)
    assert {k: (x.shape, x.dtype.name) for k, x in example.items()} == {
        "audio": ((1024, 128, 1), "float32"),
        "flow": ((3, 32, 32, 2), "uint8"),
        "video": ((3, 32, 32, 3), "uint8"),
    }
    assert [number_of(picture) for picture in example["video"]] == [1, 4, 8]
    # All of the picture: from the left to the right, from top to bottom.
    video = example["video"][0].astype(int)
    assert video[16, [0, -1], 1] == pytest.approx([3, 186], abs=8)
    assert video[[0, -1], 16, 2] == pytest.approx([3, 184], abs=8)
    np.testing.assert_array_equal(
        example["flow"], view().settle(record)["flow"]
    )


@pytest.mark.parametrize(("frames", "expected"), [(1, [5]), (10, range(10))])
def test_other_numbers_of_frames(record, frames, expected):
    example = view(frames=frames).settle(record)
    seen = [number_of(picture) for picture in example["video"]]
    assert seen == list(expected)


def test_training_sees_one_of_each_third(record):
    seen = set()
    for seed in range(40):
        rng = np.random.default_rng(seed)
        example = view(("video",)).augment(record, rng)
        numbers = tuple(number_of(picture) for picture in example["video"])
        for number, (start, stop) in zip(
            numbers, ((0, 3), (3, 6), (6, 10)), strict=True
        ):
            assert start <= number < stop
        seen.add(numbers)
    assert len(seen) > 15


def test_a_generator_is_all_that_a_draw_depends_on(record):
    one, again, other = (
        view().augment(record, np.random.default_rng(seed))
        for seed in ([3, 1, 2, 7], [3, 1, 2, 7], [3, 1, 2, 8])
    )
    for name in EVERYTHING:
        np.testing.assert_array_equal(one[name], again[name])
    assert (one["video"] != other["video"]).any()
    # Sound is not augmented.
    np.testing.assert_array_equal(one["audio"], other["audio"])


def slopes(example):
    """Green and blue per column and row of the stored picture: its crop."""
    video = example["video"].astype(float)
    right = (video[:, :, -1, 1] - video[:, :, 0, 1]).mean() / 3
    down = (video[:, -1, :, 2] - video[:, 0, :, 2]).mean() / 4
    return right, down


def test_flow_is_cropped_and_mirrored_with_the_frames(record):
    mirrored = 0
    for seed in range(30):
        example = view().augment(record, np.random.default_rng(seed))
        right, down = slopes(example)
        flow = example["flow"].astype(float)
        u, v = flow[..., 0], flow[..., 1]
        # u is 128 + column: mirrored, columns run backwards, and u is negated.
        flips = right < 0
        mirrored += flips
        change = (u[:, :, -1] - u[:, :, 0]).mean()
        assert change == pytest.approx(abs(right), abs=4)
        start = example["video"][:, :, 0, 1].mean() / 3
        expected = 255 - (128 + start) if flips else 128 + start
        assert u[:, :, 0].mean() == pytest.approx(expected, abs=4)
        change = (v[:, -1] - v[:, 0]).mean()
        assert change == pytest.approx(2 * down, abs=6)
    assert 5 < mirrored < 25


def test_crops_are_of_the_areas_and_aspects_of_the_field():
    rng = np.random.default_rng(0)
    crops = [views.drawn_crop((64, 48), 0.08, rng) for _ in range(2000)]
    area = np.array([crop.width * crop.height for crop in crops])
    aspect = np.array([64 * c.width / (48 * c.height) for c in crops])
    assert area.min() >= 0.08
    assert area.max() <= 1
    assert aspect.min() >= 3 / 4 - 1e-9
    assert aspect.max() <= 4 / 3 + 1e-9
    for crop in crops:
        assert crop.left >= 0 <= crop.top
        assert crop.left + crop.width <= 1 + 1e-9
        assert crop.top + crop.height <= 1 + 1e-9
    assert np.mean([crop.mirrored for crop in crops]) == pytest.approx(
        0.5, abs=0.04
    )
    # Uniform, but for what does not fit.
    assert 0.35 < np.median(area) < 0.54


def test_long_pictures_are_cropped_too():
    for size in ((1000, 10), (10, 1000)):
        crop = views.drawn_crop(size, 0.08, np.random.default_rng(0))
        width, height = crop.width * size[0], crop.height * size[1]
        assert 0.7 < width / height < 1.4


def test_crops_are_no_smaller_than_they_may_be():
    rng = np.random.default_rng(0)
    crops = [views.drawn_crop((64, 48), 0.9, rng) for _ in range(200)]
    assert min(crop.width * crop.height for crop in crops) >= 0.9


def test_part_of_a_picture(record):
    crop = Crop(0.25, 0.5, 0.5, 0.5, False)
    part = views.part_of(record["frames"][0], crop, 16, "RGB").astype(int)
    assert part[8, [0, -1], 1] == pytest.approx([3 * 17, 3 * 47], abs=8)
    assert part[[0, -1], 8, 2] == pytest.approx([4 * 25, 4 * 47], abs=8)


def test_fewer_modalities(record):
    assert set(view(("audio",)).augment(record, np.random.default_rng(0))) == {
        "audio"
    }
    assert set(view(("audio",)).settle(record)) == {"audio"}
    assert set(view(("flow",)).settle(record)) == {"flow"}


def test_sound_of_either_front_end(record):
    example = View(("audio",), 3, 32, "fbank", rows=7).settle(record)
    assert example["audio"].shape == (7, 128, 1)
    np.testing.assert_allclose(example["audio"][:5], 0, atol=1e-3)
    other = {"audio": np.ones((257, 188), np.float16)}
    example = view(("audio",), audio="spectrogram").settle(other)
    np.testing.assert_array_equal(example["audio"], np.ones((257, 188, 1)))
