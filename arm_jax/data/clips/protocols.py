"""Which clips are for training, for validation, for testing.

Lists of the data set or of papers say what is for testing, or a draw does: by
group, so that no source video, nor actor, is on both sides; or by clip, which
leaks, and is there because papers did it. Validation is always carved out of
the training clips by group, as lists of the field have none.
"""

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from arm_jax.data.preparation.items import carve
from arm_jax.errors import InputError

RANDOM = "random"
LEAKING = "leaking_random_by_clip"
# Share of the clips that a draw sets aside for testing.
TEST = 0.2


def check_sides(name: str, words: Collection[str], said: str) -> None:
    """Checks, before hours of decoding, that there is something on both sides.

    Args:
      name: Name of the data set.
      words: What lists say of the clips that have a video.
      said: What else the message says of the lists.

    Raises:
      InputError: There is nothing to train on, or nothing to test on.
    """
    for word in ("train", "test"):
        if word not in words:
            raise InputError(
                f"data set {name}: no clip for {word}ing has a video ({said}); "
                "add their list or their videos, or draw a split: "
                f"--config.data.options.split={RANDOM}"
            )


def divided(
    name: str,
    keys: Sequence[str],
    labels: np.ndarray,
    groups: Sequence[str],
    listed: Sequence[str],
    *,
    split: str,
    validation: float,
    seed: int,
) -> Mapping[str, np.ndarray]:
    """Returns the clips of each split, bool `[n]`.

    Args:
      name: Name of the data set.
      keys: Key of each clip.
      labels: Class of each clip, integers `[n]`.
      groups: What must not be on both sides, such as the source video.
      listed: What lists say of each clip: "train", "test", or else.
      split: RANDOM or LEAKING; anything else is by `listed`.
      validation: Share of the training clips that is for validation.
      seed: Random seed of draws.

    Raises:
      InputError: A share that is none, or no training or test clips.
    """
    if not 0 < validation < 1:
        raise InputError(
            f"data set {name}: validation must be above 0 and below 1, got "
            f"{validation}"
        )
    if split in (RANDOM, LEAKING):
        units = groups if split == RANDOM else [""] * len(keys)
        test = carve(keys, labels, units, TEST, seed)
        train = ~test
    else:
        train = np.array([word == "train" for word in listed], bool)
        test = np.array([word == "test" for word in listed], bool)
        for word, mask in (("training", train), ("test", test)):
            if not mask.any():
                raise InputError(
                    f"data set {name}: it was prepared without {word} clips of "
                    f"the split '{split}'; add the lists and prepare it anew, "
                    f"or draw one: --config.data.options.split={RANDOM}"
                )
    drawn = np.zeros_like(train)
    at = np.flatnonzero(train).tolist()
    drawn[at] = carve(
        [keys[i] for i in at],
        labels[at],
        [groups[i] for i in at],
        validation,
        seed,
    )
    return {"train": train & ~drawn, "validation": drawn, "test": test}
