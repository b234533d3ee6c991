import pytest

from arm_jax.reports import learning

PAIR = {"first": "audio", "second": "image"}


def said(first, second, joint):
    learned = {"first": first, "second": second, "joint": joint}
    return learning.sentence(PAIR, learned, 0.05)


def test_what_was_learned_is_said_of_each():
    assert said((0.02, 0.04), (-0.01, 0.03), (0.1, 0.2)).startswith(
        "fitted to half of the samples, classifiers keep fewer bits, by 0.03 "
        "[0.02, 0.04] of audio, 0.01 [-0.01, 0.03] of image and 0.15 [0.10, "
        "0.20] of both; as much again, or twice that, of what audio and both "
        "would tell is not learned yet"
    )


@pytest.mark.parametrize(
    ("ends", "missing"),
    [
        (((0.02, 0.04), (0.02, 0.04), (0.1, 0.2)), "audio, image and both"),
        (((0.02, 0.04), (0.0, 0.0), (0.0, 0.0)), "what audio would"),
        # Not surely more than nothing, or less than matters.
        (((-0.01, 0.09), (0.02, 0.028), (-0.1, -0.05)), ""),
    ],
)
def test_what_is_not_learned_is_named(ends, missing):
    text = said(*ends)
    assert missing in text
    assert ("not learned yet" in text) == bool(missing)
    assert ("no more is in sight" in text) == (not missing)
