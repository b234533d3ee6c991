"""How a clip is stored: what is decoded of it, once, and becomes a record."""

import dataclasses
import io
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from arm_jax.data.preparation import fbank, files, flow, images, video
from arm_jax.data.preparation import spectrogram as spectrograms
from arm_jax.data.preparation.files import Unusable
from arm_jax.errors import InputError, check_choice

AUDIO = ("fbank", "spectrogram")
FLOW = ("archive", "tvl1")
MISSING = ("drop", "zeros")
# Another number for records that are made another way.
FORMAT = 3
_RATES = {
    "fbank": fbank.SAMPLE_RATE,
    "spectrogram": spectrograms.SAMPLE_RATE,
}
_FRONT_ENDS = {
    "fbank": lambda sound: fbank.fbank(sound)[: fbank.ROWS],
    "spectrogram": spectrograms.spectrogram,
}


class Media(NamedTuple):
    """The files of a clip.

    Attributes:
      video: Its video.
      sound: Its sound, where that is a file of its own.
      flow: Folders of its images of u and v, if any.
    """

    video: str
    sound: str = ""
    flow: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Stored:
    """What is kept of a clip.

    Attributes:
      name: Name of the data set.
      modalities: Some of "audio", "flow", "video".
      frames: Number of frames, and of pairs of frames for flow, from the
        middles of as many equal parts of the clip.
      short_side: Pixels of the shorter side of frames and flow.
      seconds: Of longer clips, so many from the beginning.
      audio: The front end: "fbank", 1024 x 128, or "spectrogram", 257 x 188.
      missing_audio: What becomes of clips without sound: "drop", or "zeros",
        silence.
      flow: Where flow comes from: "archive", images that others computed, or
        "tvl1", computed from the video.
    """

    name: str
    modalities: tuple[str, ...]
    frames: int = 10
    short_side: int = 256
    seconds: float = 10.0
    audio: str = "fbank"
    missing_audio: str = "drop"
    flow: str = "archive"

    def __post_init__(self) -> None:
        """Checks the values."""
        where = f"data set {self.name}:"
        check_choice(f"{where} audio", self.audio, AUDIO)
        check_choice(f"{where} missing_audio", self.missing_audio, MISSING)
        check_choice(f"{where} flow", self.flow, FLOW)
        for key in ("frames", "short_side", "seconds"):
            if not getattr(self, key) > 0:
                word = "stored_frames" if key == "frames" else key
                raise InputError(
                    f"{where} {word} must be positive, got {getattr(self, key)}"
                )

    def has(self, modality: str) -> bool:
        """Tells whether a modality is kept."""
        return modality in self.modalities

    @property
    def archive(self) -> bool:
        """Whether flow is read from an archive."""
        return self.has("flow") and self.flow == "archive"

    def options(self) -> dict[str, Any]:
        """Returns what records depend on."""
        options: dict[str, Any] = {
            "format": FORMAT,
            "seconds": float(self.seconds),
        }
        if self.has("audio"):
            options["audio"] = self.audio
            options["missing_audio"] = self.missing_audio
        if self.has("flow"):
            options["flow"] = self.flow
        if self.has("flow") or self.has("video"):
            options["stored_frames"] = self.frames
            options["short_side"] = self.short_side
        return options


def encode(media: Media, *, stored: Stored) -> dict[str, Any]:
    """Returns the record of a clip.

    Args:
      media: Its files.
      stored: What is kept.

    Raises:
      Unusable: It lacks a modality, or cannot be decoded.
    """
    record: dict[str, Any] = {}
    rate = _RATES[stored.audio] if stored.has("audio") else 0
    computes = stored.has("flow") and stored.flow == "tvl1"
    clip: video.Clip | None = None
    sound: np.ndarray | None = None
    if stored.has("video") or computes:
        clip = video.clip(
            files.content(media.video),
            pictures=stored.frames,
            short_side=stored.short_side,
            seconds=stored.seconds,
            rate=0 if media.sound else rate,
            following=computes,
        )
        sound = clip.sound
        if stored.has("video"):
            record["frames"] = [_jpeg(x) for x in clip.pictures]
        if computes:
            pairs = flow.computed(clip.pictures, clip.following)
            record["u"], record["v"] = pairs
    if stored.archive:
        # Of the same seconds as frames and sound.
        share = min(1.0, stored.seconds / _length(media, clip))
        record["u"], record["v"] = flow.archived(
            media.flow, stored.frames, stored.short_side, share
        )
    if rate:
        if media.sound or clip is None:
            data = files.content(media.sound or media.video)
            sound = video.sound(data, rate=rate, seconds=stored.seconds)
        if sound is None or not len(sound):
            if stored.missing_audio == "drop":
                raise Unusable("no_audio")
            # What is padded behind a record is no silence.
            length = min(_length(media, clip), stored.seconds)
            sound = np.zeros(max(round(length * rate), 1), np.float32)
        elif stored.missing_audio == "drop":
            video.check_audible(sound)
        # Half the bytes; the largest error, 2^-8, is below 0.1 % of the range.
        bank = _FRONT_ENDS[stored.audio](sound)
        record["audio"] = bank.astype(np.float16)
    return record


def _length(media: Media, clip: video.Clip | None) -> float:
    """Returns the length of a clip, whether or not it was decoded."""
    if clip is not None:
        return clip.length
    return video.length(files.content(media.video))


def _jpeg(picture: np.ndarray) -> bytes:
    out = io.BytesIO()
    image = images.library().fromarray(picture)
    image.save(out, "JPEG", quality=images.QUALITY)
    return out.getvalue()


def hints(modalities: Sequence[str]) -> dict[str, str]:
    """Returns what to do about reasons that many files may have."""
    lack = "these copies have no sound (some were resized without it)"
    if others := [x for x in modalities if x != "audio"]:
        lack += (
            f", or do without it: joint,{','.join(others)} behind the colon of "
            "--config, and another --config.data.options.data_dir"
        )
    return {
        "missing": "the lists name videos that are not in the folder",
        "ambiguous": "give videos names that tell their start, ID_START",
        "no_audio": f"get others: {lack}",
        "git_lfs_pointer": "get the files by git lfs pull",
        "html_page": "the download failed: repeat it",
        "unreadable": "the files are cut short or no videos: copy them anew",
        "no_flow": "unpack the archive of flow images, or compute flow by "
        "--config.data.options.flow=tvl1",
    }
