"""What training and evaluation see of a stored clip.

In training, of each third (or other part) of the stored frames one at random,
cropped to a random part of 8 to 100 % of its area and of an aspect of 3/4 to
4/3 (Szegedy et al., Going deeper with convolutions, CVPR 2015, as in PyTorch's
RandomResizedCrop), resized to a square, mirrored or not: one draw for all
frames and for flow, of which u changes its sign in the mirror. In evaluation
the middle frame of each part, all of it, resized to the square.

Bytes stay bytes: they are scaled on the device.
"""

import dataclasses
import io
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from arm_jax.data.preparation import fbank, images
from arm_jax.data.source import Example

_ASPECT = (3 / 4, 4 / 3)
_TRIES = 10


class Crop(NamedTuple):
    """Part of a picture, in shares of its width and height, and the mirror."""

    left: float
    top: float
    width: float
    height: float
    mirrored: bool


_WHOLE = Crop(0.0, 0.0, 1.0, 1.0, False)


@dataclasses.dataclass(frozen=True)
class View:
    """How a clip is looked at.

    Attributes:
      modalities: Those that are wanted.
      frames: Number of frames, and of pairs of frames for flow.
      size: Pixels of their sides.
      audio: The front end that made the sound's array.
      rows: Of a filter bank, its number of rows.
      crop: Smallest share of a picture's area that training sees.
    """

    modalities: Sequence[str]
    frames: int
    size: int
    audio: str
    rows: int = fbank.ROWS
    crop: float = 0.08

    def augment(
        self, record: Mapping[str, Any], rng: np.random.Generator
    ) -> Example:
        """Returns an example as training sees it."""
        count = self._stored(record)
        if not count:
            return self._example(record, [], _WHOLE)
        edges = self._edges(count)
        chosen = [
            int(rng.integers(start, max(stop, start + 1)))
            for start, stop in zip(edges, edges[1:], strict=False)
        ]
        size = _size(self._pictures(record)[0])
        crop = drawn_crop(size, self.crop, rng)
        return self._example(record, chosen, crop)

    def settle(self, record: Mapping[str, Any]) -> Example:
        """Returns an example as evaluation sees it."""
        edges = self._edges(self._stored(record))
        chosen = [
            (start + stop) // 2
            for start, stop in zip(edges, edges[1:], strict=False)
        ]
        return self._example(record, chosen, _WHOLE)

    def _pictures(self, record: Mapping[str, Any]) -> Sequence[bytes]:
        if "video" in self.modalities:
            return record["frames"]
        return record["u"] if "flow" in self.modalities else ()

    def _stored(self, record: Mapping[str, Any]) -> int:
        return len(self._pictures(record))

    def _edges(self, count: int) -> list[int]:
        """Returns where the parts of the stored frames begin and end."""
        return [part * count // self.frames for part in range(self.frames + 1)]

    def _example(
        self, record: Mapping[str, Any], chosen: Sequence[int], crop: Crop
    ) -> Example:
        example = {}
        if "audio" in self.modalities:
            example["audio"] = self._sound(record["audio"])
        if "flow" in self.modalities:
            u = self._seen(record["u"], chosen, crop, "L")
            v = self._seen(record["v"], chosen, crop, "L")
            example["flow"] = np.stack(
                [255 - u if crop.mirrored else u, v], axis=-1
            )
        if "video" in self.modalities:
            example["video"] = self._seen(record["frames"], chosen, crop, "RGB")
        return example

    def _seen(
        self,
        pictures: Sequence[bytes],
        chosen: Sequence[int],
        crop: Crop,
        mode: str,
    ) -> np.ndarray:
        """Returns the frames, uint8 `[frames, size, size]`, or `[..., 3]`."""
        seen = np.stack(
            [part_of(pictures[at], crop, self.size, mode) for at in chosen]
        )
        return seen[:, :, ::-1] if crop.mirrored else seen

    def _sound(self, stored: np.ndarray) -> np.ndarray:
        """Returns the sound as one channel, float32 `[times, bands, 1]`."""
        if self.audio == "fbank":
            return fbank.normalised(stored, self.rows)[..., None]
        return stored.astype(np.float32)[..., None]


def part_of(data: bytes, crop: Crop, size: int, mode: str) -> np.ndarray:
    """Returns part of a JPEG, not mirrored, as a square of bytes."""
    library = images.library()
    with library.open(io.BytesIO(data)) as image:
        width, height = image.size
        left, top = crop.left * width, crop.top * height
        box = (
            left,
            top,
            min(left + crop.width * width, width),
            min(top + crop.height * height, height),
        )
        if image.mode != mode:
            image = image.convert(mode)
        return np.asarray(
            image.resize((size, size), library.Resampling.BILINEAR, box=box)
        )


def drawn_crop(
    size: tuple[int, int], smallest: float, rng: np.random.Generator
) -> Crop:
    """Returns a random part of a picture.

    Args:
      size: Its width and height.
      smallest: Share of its area.
      rng: Generator.
    """
    width, height = size
    mirrored = bool(rng.random() < 0.5)
    for _ in range(_TRIES):
        area = rng.uniform(smallest, 1.0) * width * height
        low, high = map(math.log, _ASPECT)
        aspect = math.exp(rng.uniform(low, high))
        part = math.sqrt(area * aspect), math.sqrt(area / aspect)
        if part[0] <= width and part[1] <= height:
            left = rng.random() * (width - part[0])
            top = rng.random() * (height - part[1])
            break
    else:
        # Long pictures: the middle, of the nearest aspect.
        low, high = _ASPECT
        part = min(width, height * high), min(height, width / low)
        left, top = (width - part[0]) / 2, (height - part[1]) / 2
    return Crop(
        left / width, top / height, part[0] / width, part[1] / height, mirrored
    )


def _size(data: bytes) -> tuple[int, int]:
    """Returns width and height of a JPEG."""
    with images.library().open(io.BytesIO(data)) as image:
        return image.size
