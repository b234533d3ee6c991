import numpy as np
import pytest

from arm_jax.data.clips import stored as records
from arm_jax.data.clips.stored import Media, Stored
from arm_jax.data.preparation import fbank, flow
from arm_jax.data.preparation.files import Unusable
from tests.arm_jax.data import media_clips

for package in ("av", "PIL.Image"):
    pytest.importorskip(package, reason="needs the extra 'media'")
SMALL = {"frames": 5, "short_side": 48}


@pytest.fixture
def media(tmp_path):
    """A clip of a second, and flow from each frame to the next, as grey."""
    import PIL.Image

    (tmp_path / "clip.mp4").write_bytes(media_clips.clip())
    for name in ("u", "v"):
        (tmp_path / name).mkdir()
        for k in range(media_clips.FPS - 1):
            value = round(media_clips.grey(k / media_clips.FPS))
            image = PIL.Image.new("L", (64, 48), value)
            image.save(tmp_path / name / f"frame{k + 1:06d}.jpg")
    return Media(
        str(tmp_path / "clip.mp4"),
        flow=(str(tmp_path / "u"), str(tmp_path / "v")),
    )


def greys(images):
    return [float(flow.pixels(image).mean()) for image in images]


@pytest.mark.parametrize(
    "modalities", [("flow", "video"), ("flow",), ("audio", "flow")]
)
@pytest.mark.parametrize("seconds", [0.5, 1.0, 10.0])
def test_flow_is_of_the_times_of_the_frames(media, modalities, seconds):
    stored = Stored("name", modalities, seconds=seconds, **SMALL)
    record = records.encode(media, stored=stored)
    part = min(seconds, 1.0)
    times = (np.arange(5) + 0.5) * part / 5
    shown = [int(time * 10 + 1e-9) for time in times]
    for key in record.keys() - {"audio"}:
        most = 9 if key == "frames" else 8
        expected = [media_clips.grey(min(k, most) / 10) for k in shown]
        np.testing.assert_allclose(greys(record[key]), expected, atol=3)


def test_flow_needs_a_video_that_has_a_length(media):
    stored = Stored("name", ("flow",), **SMALL)
    with open(media.video, "wb") as file:
        file.write(media_clips.wav())
    with pytest.raises(Unusable, match="no_video"):
        records.encode(media, stored=stored)


@pytest.mark.parametrize("modalities", [("audio", "video"), ("audio",)])
@pytest.mark.parametrize(("seconds", "rows"), [(0.5, 48), (10.0, 98)])
def test_silence_is_as_long_as_the_clip(tmp_path, modalities, seconds, rows):
    file = tmp_path / "clip.mp4"
    file.write_bytes(media_clips.clip(frequency=None))
    stored = Stored(
        "name", modalities, seconds=seconds, missing_audio="zeros", **SMALL
    )
    audio = records.encode(Media(str(file)), stored=stored)["audio"]
    assert audio.shape == (rows, fbank.BANDS)
    np.testing.assert_allclose(audio, np.log(2.0**-23), atol=0.01)
