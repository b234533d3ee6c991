import contextlib
import io

import numpy as np
import pytest

from arm_jax.data.preparation import video
from arm_jax.data.preparation.files import Unusable
from tests.arm_jax.data import media_clips as clips

pytest.importorskip("av", reason="needs the extra 'media'")
KINDS = list(clips.KINDS)
# Frames k / 10 of a clip are at their middles shown at these times.
MIDDLES = (0.1, 0.3, 0.5, 0.7, 0.9)


def decoded(data, **options):
    shared = {"pictures": 5, "short_side": 48, "seconds": 10.0}
    return video.clip(data, **(shared | options))


def greys(pictures):
    return [float(picture.mean()) for picture in pictures]


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_are_those_of_their_times(kind):
    clip = decoded(clips.clip(kind), following=True)
    assert clip.pictures[0].shape == (48, 64, 3)
    for pictures, delay in ((clip.pictures, 0), (clip.following, 0.1)):
        expected = [clips.grey(min(time + delay, 0.9)) for time in MIDDLES]
        np.testing.assert_allclose(greys(pictures), expected, atol=2.0)
    assert clip.sound is None


@pytest.mark.parametrize("kind", KINDS)
def test_sound_is_that_of_the_clip(kind):
    clip = decoded(clips.clip(kind), rate=16000)
    assert clip.sound.dtype == np.float32
    assert len(clip.sound) == pytest.approx(16000, abs=1)
    spectrum = np.abs(np.fft.rfft(clip.sound, 16000))
    assert spectrum.argmax() == 1000
    # AAC and MP3 fade a little.
    middle = clip.sound[4000:12000]
    assert np.abs(middle).max() == pytest.approx(0.3, abs=0.06)


def test_channels_are_mixed_down():
    data = clips.clip(".mp4", layout="5.1")
    clip = decoded(data, rate=16000)
    assert np.abs(np.fft.rfft(clip.sound, 16000)).argmax() == 1000


REORDERED = {
    "mp4": lambda: clips.reordered(".mp4", "libx264", 3),
    "avi": lambda: clips.reordered(".avi", "libx264", 3),
    "avi of MPEG-4": lambda: clips.reordered(".avi", "mpeg4"),
    "avi, packed": clips.packed,
}


@pytest.mark.parametrize("kind", REORDERED)
def test_frames_may_be_stored_in_another_order(kind):
    data = REORDERED[kind]()
    clip = decoded(data, pictures=10)
    with video._opened(data) as container:
        # Sound is placed by the first.
        assert video._extent(container) == (0.0, pytest.approx(1.0))
    assert clip.length == video.length(data) == pytest.approx(1.0)
    expected = [clips.grey(number / 10) for number in range(10)]
    # A coarse last frame; the greys of two frames differ by 15.
    np.testing.assert_allclose(greys(clip.pictures), expected, atol=5.0)


def test_a_place_without_a_frame_moves_no_other():
    # Stored as 0, 3, 1, 2, 6, 4, 5, 9, 7, 8.
    data = clips.without(clips.reordered(".avi", "mpeg4"), 5)
    clip = decoded(data, pictures=10)
    assert clip.length == pytest.approx(1.0)
    numbers = (0, 1, 2, 3, 5, 5, 6, 7, 8, 9)
    expected = [clips.grey(number / 10) for number in numbers]
    np.testing.assert_allclose(greys(clip.pictures), expected, atol=5.0)


def shown(times, length):
    """Greys of the frames in the middles of five parts."""
    middles = (np.arange(5) + 0.5) * length / 5
    return [
        clips.grey(max(t for t in times if t <= middle)) for middle in middles
    ]


def test_rates_may_vary():
    times = (0.0, 0.05, 0.1, 0.4, 0.45, 0.9, 1.3)
    clip = decoded(clips.clip(".mp4", frequency=None, times=times))
    # The last one is shown for as long as the median one: 1.475 s in all.
    expected = shown(times, 1.475)
    np.testing.assert_allclose(greys(clip.pictures), expected, atol=2.0)


def test_avi_counts_places_without_a_frame():
    times = (0.0, 0.1, 0.4, 0.5, 0.9, 1.0, 1.5)
    clip = decoded(clips.clip(".avi", frequency=None, times=times))
    expected = shown(times, 1.7)
    np.testing.assert_allclose(greys(clip.pictures), expected, atol=2.0)


def test_long_clips_are_looked_at_from_their_beginning():
    clip = decoded(clips.clip(), seconds=0.5, rate=16000)
    expected = [clips.grey(time) for time in (0.0, 0.1, 0.2, 0.3, 0.4)]
    np.testing.assert_allclose(greys(clip.pictures), expected, atol=2.0)
    assert len(clip.sound) == 8000


def test_what_an_edit_list_leaves_out_is_no_part_of_a_clip():
    data = bytearray(clips.clip(".mp4", frequency=None))
    # Milliseconds that are shown: of ten frames the first seven.
    at = data.index(b"elst") + 12
    data[at : at + 4] = (700).to_bytes(4, "big")
    clip = decoded(bytes(data), pictures=7)
    expected = [clips.grey(k / 10) for k in range(7)]
    np.testing.assert_allclose(greys(clip.pictures), expected, atol=2.0)


def test_sound_that_begins_late_is_preceded_by_silence():
    samples = video._Samples(100)
    samples._resampler = video.library().AudioResampler("flt", "mono", 100)
    samples._parts, samples._start = [np.ones(50, np.float32)], 2.5
    placed = samples.placed(2.2, 10.0)
    assert placed.tolist() == [0.0] * 30 + [1.0] * 50
    # Before the first picture it is cut off.
    samples._resampler = video.library().AudioResampler("flt", "mono", 100)
    assert len(samples.placed(2.7, 10.0)) == 30
    # An error of the header is none of the sound.
    samples._resampler = video.library().AudioResampler("flt", "mono", 100)
    assert len(samples.placed(999.0, 10.0)) == 50


def test_short_sides():
    picture = decoded(clips.clip(), short_side=96).pictures[0]
    assert picture.shape == (96, 128, 3)


def test_a_clip_that_lies_on_its_side_is_put_upright():
    import av

    left_half = np.zeros((48, 64, 3), np.uint8)
    left_half[:, :32] = 200
    data = clips.clip(
        ".mp4", frequency=None, pictures=(left_half.tobytes(),) * 10
    )
    out = io.BytesIO()
    with av.open(io.BytesIO(data)) as old, av.open(out, "w", "mp4") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        stream.set_display_rotation(90)
        for packet in old.demux(old.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                new.mux(packet)
    picture = decoded(out.getvalue()).pictures[0]
    assert picture.shape == (64, 48, 3)
    # A quarter turn against the clock: left becomes bottom.
    assert picture[40:].mean() > 150 > 50 > picture[:24].mean()


def test_recordings_of_their_own():
    sound = video.sound(clips.wav(), rate=8000, seconds=0.5)
    assert len(sound) == 4000
    assert np.abs(np.fft.rfft(sound, 8000)).argmax() == 1000
    nothing = video.sound(clips.clip(frequency=None), rate=8000, seconds=1.0)
    assert nothing is None


def test_silence():
    for loudness, silent in ((0.0, True), (1e-3, False)):
        sound = video.sound(clips.wav(loudness), rate=16000, seconds=1.0)
        if silent:
            with pytest.raises(Unusable, match="silent"):
                video.check_audible(sound)
        else:
            video.check_audible(sound)


def test_samples_that_are_no_numbers():
    samples = np.sin(np.arange(8000, dtype=np.float32))
    for bad in (np.nan, np.inf):
        samples[4000] = bad
        data = clips.wav_of_floats(samples)
        with pytest.raises(Unusable, match="damaged.*no numbers"):
            video.sound(data, rate=8000, seconds=1.0)


def test_titles_may_be_any_bytes():
    clip = decoded(clips.titled(), rate=16000)
    assert len(clip.pictures) == 5
    assert len(video.sound(clips.titled(), rate=16000, seconds=9.0)) > 15000


def test_a_codec_that_nobody_knows():
    with pytest.raises(Unusable, match="unreadable.*an unknown codec"):
        decoded(clips.of_unknown_codec("video"), rate=16000)
    data = clips.of_unknown_codec("audio")
    clip = decoded(data, rate=16000)
    assert len(clip.pictures) == 5
    assert clip.sound is None
    assert video.sound(data, rate=16000, seconds=1.0) is None


def test_sound_may_change_its_rate():
    data = clips.of_two_rates()
    clip = decoded(data, rate=16000, seconds=10.0)
    assert greys(clip.pictures) == greys(decoded(clips.clip(".avi")).pictures)
    sound = video.sound(data, rate=16000, seconds=10.0)
    assert len(sound) == pytest.approx(32000, abs=3000)
    for second in (sound[2000:14000], sound[18000:30000]):
        assert np.abs(np.fft.rfft(second, 16000)).argmax() == 1000


def half(data):
    return data[: len(data) // 2]


def flipped(data):
    bad = bytearray(data)
    for at in range(len(bad) // 4, len(bad), 7):
        bad[at] ^= 0xFF
    return bytes(bad)


def text(data):
    del data
    return b"not a video, but a sentence" * 40


@pytest.mark.parametrize(
    ("damage", "kind", "reason"),
    [
        (half, ".mp4", "unreadable"),
        (half, ".avi", "truncated"),
        (text, ".mp4", "unreadable"),
        (text, ".avi", "unreadable"),
    ],
)
def test_damage(damage, kind, reason):
    data = noise(kind)
    assert len(decoded(data).pictures) == 5
    with pytest.raises(Unusable) as error:
        decoded(damage(data))
    assert error.value.reason == reason


def noise(kind):
    """Returns 4 s, whose pictures take more bytes than the header."""
    pixels = np.random.default_rng(0).integers(0, 256, 40 * 48 * 64 * 3)
    pictures = pixels.astype(np.uint8).reshape(40, -1)
    return clips.clip(
        kind,
        frequency=None,
        times=tuple(k / 10 for k in range(40)),
        pictures=tuple(picture.tobytes() for picture in pictures),
    )


@pytest.mark.parametrize("kind", [".mp4", ".flv"])
def test_one_damaged_frame_is_left_out(kind):
    import av

    data = bytearray(noise(kind))
    with av.open(io.BytesIO(data)) as container:
        (stream,) = container.streams
        packets = [(p.pos, p.size) for p in container.demux(stream) if p.size]
    at, size = packets[20]
    data[at + 5 : at + size] = bytes(size - 5)
    with (
        av.open(io.BytesIO(data)) as container,
        pytest.raises(av.error.FFmpegError),
    ):
        list(container.decode(video=0))
    assert len(decoded(bytes(data)).pictures) == 5


@pytest.mark.parametrize("kind", KINDS)
def test_flipped_bytes_never_end_the_program(kind):
    with contextlib.suppress(Unusable):
        clip = decoded(flipped(clips.clip(kind)), rate=16000)
        assert len(clip.pictures) == 5


def test_too_few_frames():
    with pytest.raises(Unusable, match="too_few_frames"):
        decoded(clips.clip(".mp4", frequency=None, times=(0.0, 0.1)))


def test_no_video():
    with pytest.raises(Unusable, match="no_video"):
        decoded(clips.wav())
