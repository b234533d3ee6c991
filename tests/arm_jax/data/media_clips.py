"""Video files of a second, of 64 x 48 pixels, as tests want them."""

import functools
import io
import struct
import wave
from fractions import Fraction

import numpy as np

WIDTH, HEIGHT = 64, 48
FPS = 10
RATE = 16000
# By suffix: container, codec of the pictures, codec of the sound.
KINDS = {
    ".mp4": ("mp4", "libx264", "aac"),
    ".avi": ("avi", "mpeg4", "libmp3lame"),
    ".flv": ("flv", "flv1", "libmp3lame"),
}


def grey(time):
    """The colour of a frame tells its time, up to a second."""
    return min(40 + 15 * time * FPS, 250)


def tone(frequency=1000.0, seconds=1.0, loudness=0.3):
    time = np.arange(round(seconds * RATE)) / RATE
    return (loudness * np.sin(2 * np.pi * frequency * time)).astype(np.float32)


@functools.cache
def clip(
    suffix=".mp4",
    frequency=1000.0,
    pictures=None,
    times=tuple(k / FPS for k in range(FPS)),
    layout="mono",
    loudness=0.3,
):
    """Returns the bytes of a clip.

    Args:
      suffix: One of KINDS.
      frequency: Of a tone; None for no sound.
      pictures: uint8 `[frames, height, width, 3]` as a tuple of bytes; frames
        whose grey tells the time if None.
      times: When they are shown.
      layout: Of the sound's channels.
      loudness: Of the tone.
    """
    import av

    container, codec, sound_codec = KINDS[suffix]
    out = io.BytesIO()
    # What MP3 begins with, of before the first sample, would move the pictures.
    options = {"avoid_negative_ts": "disabled"} if suffix == ".avi" else {}
    with av.open(out, "w", format=container, options=options) as file:
        video = file.add_stream(codec, rate=FPS)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        video.codec_context.time_base = Fraction(1, 1000)
        if codec == "libx264":
            video.options = {"preset": "ultrafast", "bf": "0"}
        else:
            video.bit_rate = 10**6
            video.codec_context.time_base = Fraction(1, FPS)
        sound = None
        if frequency is not None:
            rate = 44100 if suffix == ".flv" else RATE
            sound = file.add_stream(sound_codec, rate=rate, layout=layout)
        base = video.codec_context.time_base
        for number, time in enumerate(times):
            if pictures is None:
                shape = HEIGHT, WIDTH, 3
                picture = np.full(shape, round(grey(time)), np.uint8)
            else:
                picture = np.frombuffer(pictures[number], np.uint8)
                picture = picture.reshape(HEIGHT, WIDTH, 3)
            frame = av.VideoFrame.from_ndarray(picture, "rgb24")
            frame.pts, frame.time_base = round(time / base), base
            file.mux(video.encode(frame))
        file.mux(video.encode())
        if sound is not None:
            samples = tone(frequency, loudness=loudness)[None]
            frame = av.AudioFrame.from_ndarray(samples, "fltp", "mono")
            frame.sample_rate, frame.pts = RATE, 0
            frame.time_base = Fraction(1, RATE)
            context = sound.codec_context
            resampler = av.AudioResampler(
                context.format, context.layout, rate, context.frame_size
            )
            for part in [*resampler.resample(frame), *resampler.resample(None)]:
                file.mux(sound.encode(part))
            file.mux(sound.encode())
    return out.getvalue()


@functools.cache
def reordered(suffix, codec, between=2):
    """Returns a silent clip whose frames are not stored as they are shown.

    Args:
      suffix: One of KINDS.
      codec: Of the pictures.
      between: Number of B-frames between two others.
    """
    import av

    out = io.BytesIO()
    with av.open(out, "w", KINDS[suffix][0]) as file:
        video = file.add_stream(codec, rate=FPS)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        video.bit_rate = 10**6
        video.options = {"bf": str(between), "b_strategy": "0"}
        for number in range(FPS):
            shape = HEIGHT, WIDTH, 3
            picture = np.full(shape, round(grey(number / FPS)), np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            file.mux(video.encode(frame))
        file.mux(video.encode())
    return out.getvalue()


def without(data, lost):
    """Returns a silent AVI file with nothing in the place of one packet."""
    import av

    out = io.BytesIO()
    with av.open(io.BytesIO(data)) as old, av.open(out, "w", "avi") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for number, content in enumerate(_packets(old)):
            if number != lost:
                _put(new, stream, content, number)
    return out.getvalue()


@functools.cache
def packed():
    """Returns a silent clip in AVI, with B-frames as DivX and XviD pack them.

    Each stands in one packet with the frame before it, and in the place that it
    had there is a packet of a frame that is not coded.
    """
    import av

    vop, user_data = b"\0\0\1\xb6", b"\0\0\1\xb2"
    not_coded = vop + b"\x56\x5f"
    out = io.BytesIO()
    data = reordered(".avi", "mpeg4", between=1)
    with av.open(io.BytesIO(data)) as old, av.open(out, "w", "avi") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        packets = _packets(old)
        # What tells decoders that a packet may have two frames.
        head, tail = packets[0].split(user_data)
        tail = tail[tail.index(b"\0\0\1") :]
        packets[0] = head + user_data + b"DivX503b1393p" + tail
        for number in range(1, len(packets)):
            # Two bits, the kind of the frame: 2 for one between others.
            if packets[number].partition(vop)[2][0] >> 6 == 2:
                packets[number - 1] += packets[number]
                packets[number] = not_coded
        for number, content in enumerate(packets):
            _put(new, stream, content, number)
    return out.getvalue()


def _packets(container):
    (stream,) = container.streams
    return [bytes(x) for x in container.demux(stream) if x.size]


def _put(container, stream, data, place):
    import av

    packet = av.Packet(data)
    packet.stream, packet.time_base = stream, Fraction(1, FPS)
    packet.pts = packet.dts = place
    packet.is_keyframe = not place
    container.mux(packet)


@functools.cache
def wav(loudness=0.3):
    """Returns a second of a tone as a file of 16-bit samples."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        samples = np.rint(32767 * tone(loudness=loudness)).astype("<i2")
        file.writeframes(samples.tobytes())
    return out.getvalue()


def wav_of_floats(samples, rate=8000):
    """Returns a file of float32 samples, whatever they are."""
    data = np.asarray(samples, "<f4").tobytes()
    kind = struct.pack("<HHIIHH", 3, 1, rate, 4 * rate, 4, 32)
    chunks = b"".join(
        name + struct.pack("<I", len(content)) + content
        for name, content in ((b"fmt ", kind), (b"data", data))
    )
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def titled(title=b"caf\xe9"):
    """Returns a clip with a title, of any bytes."""
    import av

    out, place = io.BytesIO(), b"?" * len(title)
    with av.open(io.BytesIO(clip())) as old, av.open(out, "w", "mp4") as new:
        new.metadata["title"] = place.decode()
        _copied(old, new)
    assert place in out.getvalue()
    return out.getvalue().replace(place, title)


def of_unknown_codec(kind):
    """Returns a clip whose "video" or "audio" no decoder is for."""
    if kind == "video":
        return clip(".mp4").replace(b"avc1", b"zzzz")
    data = bytearray(clip(".avi"))
    # The format's number is the first of the header of the sound.
    at = data.index(b"strf", data.index(b"auds")) + 8
    data[at : at + 2] = b"\x99\x99"
    return bytes(data)


def of_two_rates():
    """Returns a clip whose sound goes on for a second at another rate."""
    import av

    out = io.BytesIO()
    with (
        av.open(io.BytesIO(clip(".avi"))) as old,
        av.open(io.BytesIO(clip(".flv"))) as other,
        av.open(out, "w", "matroska") as new,
    ):
        streams = _copied(old, new)
        for packet in other.demux(other.streams.audio[0]):
            if packet.dts is not None:
                packet.stream = streams[1]
                packet.pts = packet.dts = packet.dts + 1200
                new.mux(packet)
    return out.getvalue()


def _copied(old, new):
    streams = [new.add_stream_from_template(x) for x in old.streams]
    for packet in old.demux():
        if packet.dts is not None:
            packet.stream = streams[packet.stream.index]
            new.mux(packet)
    return streams
