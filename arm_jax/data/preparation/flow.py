"""Optical flow as two grey images a pair of frames, u and v.

As Wang, Xiong, Wang, Qiao, Lin, Tang, Van Gool, Temporal Segment Networks, ECCV
2016, and the archives of Feichtenhofer et al. have it: flow between frames k
and k + 1, in pixels of frames whose shorter side has 256, clipped to [-20, 20],
is grey value 255 (x + 20) / 40. Without motion it is 127.5, and 255 minus the
value is minus the flow.
"""

import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from arm_jax.data.preparation import files, images, tvl1
from arm_jax.data.preparation.files import Unusable

LARGEST = 20.0
# Pixels of the shorter side of the frames that flow is measured in.
UNIT = 256
_NEEDED = 3


def image(component: np.ndarray) -> bytes:
    """Returns u or v, in pixels of the unit, as JPEG.

    Args:
      component: Float `[height, width]`.
    """
    clipped = np.clip(component, -LARGEST, LARGEST)
    grey = np.rint((clipped + LARGEST) * (255 / (2 * LARGEST)))
    return _jpeg(images.library().fromarray(grey.astype(np.uint8)))


def computed(
    pictures: Sequence[np.ndarray], following: Sequence[np.ndarray]
) -> tuple[list[bytes], list[bytes]]:
    """Returns u and v from pictures to those that follow them, as JPEG.

    Args:
      pictures: uint8 `[height, width, 3]` each.
      following: As many.
    """
    us, vs = [], []
    for one, other in zip(pictures, following, strict=True):
        scale = UNIT / min(one.shape[:2])
        u, v = tvl1.flow(_grey(one), _grey(other)) * scale
        us.append(image(u))
        vs.append(image(v))
    return us, vs


def archived(
    folders: Sequence[str], count: int, short_side: int, share: float = 1.0
) -> Iterator[list[bytes]]:
    """Yields u, then v, from folders of images, as JPEG of one short side.

    Images are kept as they are where they are grey JPEG of that size.

    Args:
      folders: That of u and that of v, with an image for each pair of frames,
        in the order of the numbers in their names, padded or not.
      count: Number of images: those from the frames in the middles of as many
        equal parts to the frames that follow.
      short_side: Pixels of their shorter side.
      share: Of the clip, from its beginning, that the parts are of.

    Raises:
      Unusable: Folders that are missing, have too few images or not as many,
        or images that cannot be decoded.
    """
    names = [_names(Path(folder)) for folder in folders]
    if len(names[0]) != len(names[1]):
        detail = f"{len(names[0])} images of u, {len(names[1])} of v"
        raise Unusable("flow_differs", detail)
    # There is one frame more than pairs of them; the last has no pair.
    last, frames = len(names[0]) - 1, share * (len(names[0]) + 1)
    chosen = [
        min(int((2 * part + 1) * frames / (2 * count)), last)
        for part in range(count)
    ]
    for folder, of_folder in zip(folders, names, strict=True):
        yield [
            _resized(_content(Path(folder, of_folder[at])), short_side)
            for at in chosen
        ]


def pixels(data: bytes) -> np.ndarray:
    """Returns the grey values of u or v, uint8 `[height, width]`."""
    with images.library().open(io.BytesIO(data)) as opened:
        return np.asarray(opened.convert("L"))


def _names(folder: Path) -> list[str]:
    try:
        names = [
            path.name
            for path in folder.iterdir()
            if path.suffix.lower() in images.SUFFIXES
            and not path.name.startswith(".")
        ]
    except (FileNotFoundError, NotADirectoryError):
        raise Unusable("no_flow", str(folder)) from None
    except PermissionError:
        raise Unusable("no_permission", str(folder)) from None
    names.sort(key=_by_numbers)
    if len(names) < _NEEDED:
        raise Unusable("too_few_flow", f"{len(names)} images in {folder}")
    return names


def _by_numbers(name: str) -> tuple[list[str | int], str]:
    """Orders names by the numbers in them; every other part is one."""
    parts = re.split(r"([0-9]+)", name)
    return [int(x) if i % 2 else x for i, x in enumerate(parts)], name


def _content(file: Path) -> bytes:
    try:
        return files.content(file)
    except Unusable as error:
        # Not the video, whose reasons these are else.
        detail = f"{file.name}: {error.reason}"
        raise Unusable("flow_damaged", detail) from None


def _resized(data: bytes, short_side: int) -> bytes:
    library = images.library()
    try:
        with library.open(io.BytesIO(data)) as opened:
            opened.load()
            grey = opened.format == "JPEG" and opened.mode == "L"
            if grey and min(opened.size) == short_side:
                return data
            scale = short_side / min(opened.size)
            size = tuple(round(n * scale) for n in opened.size)
            resized = opened.convert("L").resize(
                size, library.Resampling.BILINEAR
            )
            return _jpeg(resized)
    except (library.DecompressionBombError, *images.DAMAGE) as error:
        raise Unusable("flow_damaged", str(error)[:100]) from None


def _jpeg(grey: object) -> bytes:
    out = io.BytesIO()
    grey.save(out, "JPEG", quality=images.QUALITY)  # type: ignore[attr-defined]
    return out.getvalue()


def _grey(picture: np.ndarray) -> np.ndarray:
    """Luma of BT.601, float32 `[height, width]`."""
    return picture @ np.array([0.299, 0.587, 0.114], np.float32)
