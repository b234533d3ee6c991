"""Videos with sound: pictures at given times, and samples at one rate.

By PyAV, which brings FFmpeg. Needs the extra `media`. Decoded from the
beginning to the last picture that is wanted: seeking is slower in clips of some
seconds, and fails in FLV. Times are those in the file, never numbers of frames:
rates vary, and those in the header may be wrong. AVI has none but the places of
frames in the file, which is the order of decoding: frames that are shown before
one that they depend on (B-frames) stand behind it, or in one packet with it
("packed"), so that what FFmpeg makes of the places is wrong for them. There the
frames, in the order in which they are shown, have the places in theirs.
"""

import collections
import contextlib
import heapq
import io
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from arm_jax.data.preparation.files import Unusable
from arm_jax.errors import InputError

SUFFIXES = frozenset(
    {".mp4", ".avi", ".mkv", ".webm", ".flv", ".mov", ".m4v", ".mpg"}
)
SOUND_SUFFIXES = frozenset({".wav", ".mp3", ".flac", ".m4a", ".ogg"})
# Fewer frames are no video.
FEWEST_FRAMES = 3
# Largest sample of a recording that is silent (-80 dB).
_SILENT = 1e-4
# Seconds that sound may begin before or after the first picture; more is an
# error of the header, and taken for nothing.
_LONGEST_DELAY = 1.0
# What FFmpeg calls containers without times of presentation.
_UNTIMED = frozenset({"avi"})
# Frames that are shown between two that follow each other in such a file, at
# most: as many B-frames as encoders put there.
_BETWEEN = 16
# Less of the frames that the header counts, if it does, is a truncated file.
_WHOLE = 0.75


class Clip(NamedTuple):
    """What was decoded.

    Attributes:
      pictures: uint8 `[height, width, 3]`, from the middles of equal parts of
        the clip.
      length: Of the whole clip, in seconds.
      following: The pictures that come next to these, where they were asked
        for.
      sound: Samples in [-1, 1], float32 `[n]`, from the first picture on; None
        if there is no sound, or it was not asked for.
    """

    pictures: list[np.ndarray]
    length: float
    following: list[np.ndarray]
    sound: np.ndarray | None


def library() -> Any:
    """Returns PyAV.

    Raises:
      InputError: It is not installed.
    """
    try:
        import av
    except ImportError as error:
        raise InputError(
            "videos need the package av: pip install 'arm-jax[media]'"
        ) from error
    return av


def clip(
    data: bytes,
    *,
    pictures: int,
    short_side: int,
    seconds: float,
    rate: int = 0,
    following: bool = False,
) -> Clip:
    """Returns pictures and sound of a video.

    Args:
      data: The file.
      pictures: Number of pictures, from the middles of as many equal parts.
      short_side: Pixels of their shorter side, also where it had fewer.
      seconds: Length that is looked at, from the first picture on.
      rate: Samples a second of the sound, of one channel; 0 for no sound.
      following: Whether to return the pictures that follow, too.

    Raises:
      Unusable: It has no video, or cannot be decoded.
    """
    with _opened(data) as container:
        first, whole = _extent(container)
    length = min(whole, seconds)
    step = length / pictures
    wanted = [first + (part + 0.5) * step for part in range(pictures)]
    choice = _Choice(wanted, short_side, following)
    samples = _Samples(rate)
    with _opened(data) as container:
        streams = [container.streams.video[0]]
        if rate:
            streams += _of_sound(container)
        for kind, frame in _frames(container, streams):
            if kind == "audio":
                samples.add(frame)
            elif not choice.complete:
                choice.add(frame)
            elif len(streams) == 1:
                break
        choice.finish(step)
        sound = samples.placed(first, length)
    return Clip(choice.pictures, whole, choice.following, sound)


def length(data: bytes) -> float:
    """Returns the length of a video in seconds; nothing is decoded.

    Raises:
      Unusable: It has no video, or cannot be read.
    """
    with _opened(data) as container:
        return _extent(container)[1]


def sound(data: bytes, *, rate: int, seconds: float) -> np.ndarray | None:
    """Returns the samples of a recording, of one channel, float32 `[n]`.

    Args:
      data: The file, of sound or video.
      rate: Samples a second.
      seconds: Length that is kept.

    Returns:
      None if there is no sound in it.

    Raises:
      Unusable: It cannot be decoded.
    """
    samples = _Samples(rate)
    with _opened(data) as container:
        # To ask for the frames of no stream is to ask for those of all.
        if streams := _of_sound(container):
            for _, frame in _frames(container, streams):
                samples.add(frame)
        return samples.placed(None, seconds)


def check_audible(samples: np.ndarray) -> None:
    """Raises Unusable if a recording is silent."""
    if not np.abs(samples).max(initial=0) > _SILENT:
        raise Unusable("silent")


@contextlib.contextmanager
def _opened(data: bytes) -> Iterator[Any]:
    """Opens a file in memory; what FFmpeg says against it becomes Unusable."""
    av = library()
    try:
        # Titles need not be UTF-8.
        with av.open(io.BytesIO(data), metadata_errors="replace") as container:
            yield container
    except av.error.FFmpegError as error:
        words = f"{error.strerror or error}; starts with {data[:8]!r}"
        raise Unusable("unreadable", words) from None


def _extent(container: Any) -> tuple[float, float]:
    """Returns when a video begins, and its length, in seconds.

    Raises:
      Unusable: No video, or of a codec that FFmpeg does not know; too few
        frames, or part of what the header tells.
    """
    if not container.streams.video:
        raise Unusable("no_video")
    stream = container.streams.video[0]
    if stream.codec_context is None:
        raise Unusable("unreadable", "video of an unknown codec")
    packets = [x for x in _packets(container, [stream]) if x.size]
    count = len(packets)
    if _is_untimed(container):
        # Its header counts places, also empty ones, where a frame stays.
        places = (packet.dts for packet in packets if packet.dts is not None)
        count = max(places, default=-1) + 1
    if count < _WHOLE * stream.frames:
        raise Unusable("truncated", f"{count} of {stream.frames} frames")
    times = sorted(
        float(time * stream.time_base)
        for packet in packets
        # Some have times of decoding only; an edit list may discard frames.
        if (time := packet.dts if packet.pts is None else packet.pts)
        is not None
        and not packet.is_discard
    )
    if len(times) < FEWEST_FRAMES or times[-1] <= times[0]:
        raise Unusable("too_few_frames", f"{len(times)} frames")
    # The last picture is shown as long as others are.
    length = times[-1] - times[0] + float(np.median(np.diff(times)))
    return times[0], length


def _is_untimed(container: Any) -> bool:
    """Whether a container has no times of presentation."""
    return not _UNTIMED.isdisjoint(container.format.name.split(","))


def _packets(container: Any, streams: Sequence[Any]) -> Iterator[Any]:
    """Yields packets; of pictures without times, with their places as such."""
    untimed = _is_untimed(container)
    for packet in container.demux(*streams):
        if untimed and packet.stream.type == "video":
            # In place of what FFmpeg guesses.
            packet.pts = packet.dts
        yield packet


def _of_sound(container: Any) -> list[Any]:
    """Returns the first stream of sound, if there is one of a known codec."""
    known = [x for x in container.streams.audio if x.codec_context is not None]
    return known[:1]


def _frames(
    container: Any, streams: Sequence[Any]
) -> Iterator[tuple[str, Any]]:
    """Yields decoded frames with the kind of their stream.

    Packets that cannot be decoded are left out, as players do.
    """
    for stream in streams:
        # There is a process per core.
        stream.codec_context.thread_count = 1
    if not _is_untimed(container):
        yield from _decoded(container, streams)
        return
    waiting: collections.deque[Any] = collections.deque()
    places: list[int] = []
    for kind, frame in _decoded(container, streams):
        if kind != "video":
            yield kind, frame
        elif frame.pts is not None:
            waiting.append(frame)
            heapq.heappush(places, frame.pts)
            if len(waiting) > _BETWEEN:
                yield kind, _placed(waiting, places)
    while waiting:
        yield "video", _placed(waiting, places)


def _placed(waiting: collections.deque[Any], places: list[int]) -> Any:
    """Takes the next frame that is shown, and the next place for it.

    Only places of frames that were decoded are there: one that is lost, or was
    never there, moves no other.
    """
    frame = waiting.popleft()
    frame.pts = heapq.heappop(places)
    return frame


def _decoded(
    container: Any, streams: Sequence[Any]
) -> Iterator[tuple[str, Any]]:
    """Yields frames with the times of their packets."""
    av = library()
    for packet in _packets(container, streams):
        try:
            for frame in packet.decode():
                yield packet.stream.type, frame
        except av.error.FFmpegError:
            continue


class _Choice:
    """Pictures that are shown at given times, chosen from frames in order."""

    def __init__(
        self, times: Sequence[float], short_side: int, following: bool
    ) -> None:
        self.pictures: list[np.ndarray] = []
        self.following: list[np.ndarray] = []
        self._times = times
        self._short_side = short_side
        self._follows = following
        self._shown: Any = None

    @property
    def complete(self) -> bool:
        return len(self.pictures) == len(self._times)

    def add(self, frame: Any) -> None:
        """Takes the next frame: now it is known how long the last was shown."""
        if frame.time is None:
            return
        if self._shown is not None:
            self._take(frame.time, frame)
        self._shown = frame

    def finish(self, step: float) -> None:
        """Takes what is left from the last frame, if it is no more than a step.

        Raises:
          Unusable: Decoding ended before.
        """
        if self._shown is None:
            raise Unusable("damaged", "no frame can be decoded")
        self._take(self._shown.time + step, self._shown)
        if not self.complete:
            raise Unusable(
                "damaged",
                f"{len(self.pictures)} of {len(self._times)} pictures",
            )

    def _take(self, until: float, follower: Any) -> None:
        """Takes the frame that is shown now for all times before `until`."""
        picture = None
        while not self.complete and self._times[len(self.pictures)] < until:
            if picture is None:
                picture = self._pixels(self._shown)
            self.pictures.append(picture)
            if self._follows:
                self.following.append(self._pixels(follower))

    def _pixels(self, frame: Any) -> np.ndarray:
        scale = self._short_side / min(frame.width, frame.height)
        size = round(frame.width * scale), round(frame.height * scale)
        pixels = frame.reformat(
            *size, format="rgb24", interpolation="BICUBIC"
        ).to_ndarray()
        # As the recording device was held.
        return np.rot90(pixels, round(frame.rotation / 90))


class _Samples:
    """Sound in one channel and at one rate, from frames in order."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._resampler: Any = None
        self._setup: Any = None
        self._parts: list[np.ndarray] = []
        self._start: float | None = None

    def add(self, frame: Any) -> None:
        """Takes the next frame."""
        av = library()
        setup = frame.format.name, frame.layout.name, frame.sample_rate
        if setup != self._setup:
            # A resampler takes frames of one kind; recordings may change it.
            if self._resampler is None:
                self._start = frame.time
            else:
                self._resample(None)
            self._setup = setup
            self._resampler = av.AudioResampler(
                format="flt", layout="mono", rate=self._rate
            )
        self._resample(frame)

    def placed(self, first: float | None, length: float) -> np.ndarray | None:
        """Returns the samples of a part of time.

        Args:
          first: When the part begins, in seconds; None for with the sound.
          length: Its longest length, in seconds.

        Raises:
          Unusable: Samples that are NaN or infinite.
        """
        if self._resampler is None:
            return None
        self._resample(None)
        x = np.concatenate(self._parts) if self._parts else np.zeros(0)
        x = x.astype(np.float32, copy=False)
        if not np.isfinite(x).all():
            raise Unusable("damaged", "samples of its sound are no numbers")
        if first is not None and self._start is not None:
            delay = self._start - first
            delay = delay if abs(delay) <= _LONGEST_DELAY else 0.0
            offset = round(delay * self._rate)
            x = np.pad(x, (offset, 0)) if offset > 0 else x[-offset:]
        return x[: round(length * self._rate)]

    def _resample(self, frame: Any) -> None:
        """Keeps what the resampler makes of a frame, or has left for None."""
        for part in self._resampler.resample(frame):
            self._parts.append(part.to_ndarray()[0])
