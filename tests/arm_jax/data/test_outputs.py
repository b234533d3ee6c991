import numpy as np
import pytest

from arm_jax.data import packed
from arm_jax.data.outputs import of_arrays, read
from arm_jax.errors import InputError

LOGITS = np.array([[1.0, 0.0], [0.0, 2.0], [0.5, 0.5]])
GOOD = {"a": LOGITS, "b": -LOGITS, "a+b": 2 * LOGITS, "label": [0, 1, 1]}


def softmax(x):
    return np.exp(x) / np.exp(x).sum(-1, keepdims=True)


def changed(**changes):
    return {k: v for k, v in {**GOOD, **changes}.items() if v is not None}


@pytest.mark.parametrize(
    ("kind", "of"),
    [
        ("logits", lambda x: x),
        ("probabilities", softmax),
        ("log_probabilities", lambda x: np.log(softmax(x))),
    ],
)
def test_what_arrays_hold_is_told_by_their_values(kind, of, tmp_path):
    arrays = {k: of(x) if k != "label" else x for k, x in GOOD.items()}
    np.savez(tmp_path / "o.npz", **arrays)
    outputs = read(tmp_path / "o.npz")
    assert outputs.kind == kind
    assert outputs.modalities == ("a", "b")
    for name, subset in (("a", {"a"}), ("a+b", {"a", "b"})):
        np.testing.assert_allclose(
            outputs.log_probs[frozenset(subset)],
            np.log(softmax(GOOD[name])),
            atol=1e-9,
        )
    np.testing.assert_allclose(outputs.log_prior, np.log([1 / 3, 2 / 3]))
    same = read(tmp_path / "o.npz", kind=kind)
    np.testing.assert_array_equal(
        same.log_probs[outputs.full], outputs.log_probs[outputs.full]
    )


def test_more_than_the_memory_holds(tmp_path, monkeypatch):
    # Of zeros the file is small.
    np.savez_compressed(tmp_path / "o.npz", a=np.zeros((1000, 1000)))
    monkeypatch.setattr(packed.memory, "physical_memory", lambda: 10**6)
    with pytest.raises(InputError, match="needs 0.0 GB, more than 80%"):
        read(tmp_path / "o.npz")


def test_the_order_of_names_does_not_matter():
    arrays = {"b+a": GOOD["a+b"], **{k: GOOD[k] for k in ("b", "a", "label")}}
    outputs = of_arrays(arrays)
    assert outputs.modalities == ("b", "a")
    assert outputs.full in outputs.log_probs


def test_prior_of_the_training_data():
    outputs = of_arrays(changed(prior=[30, 10]))
    np.testing.assert_allclose(outputs.log_prior, np.log([0.75, 0.25]))


NAN = np.where(np.eye(3, 2) > 0, np.nan, LOGITS)


NOTHING = changed(**dict.fromkeys(("a", "b", "a+b"), np.full((3, 2), np.nan)))


@pytest.mark.parametrize(
    ("arrays", "kind", "message"),
    [
        (changed(label=None), "auto", "there is no array 'label'"),
        (changed(**{"a+b": None}), "auto", r"all together \('a\+b'\); there"),
        (changed(b=None, **{"a+b": None}), "auto", "two modalities or more"),
        (changed(**{"a+c": LOGITS}), "auto", r"'a\+c' names the modality 'c'"),
        (changed(**{"b+a": LOGITS}), "auto", r"'a\+b' and 'b\+a' are outputs"),
        (changed(**{"a+a": LOGITS}), "auto", r"'a' and 'a\+a' are outputs of"),
        (NOTHING, "auto", r"a\[0, 0\] is nan"),
        (changed(b=LOGITS[:2]), "auto", r"b must be \[n, classes\] of n = 3"),
        (changed(b=LOGITS[:, :1]), "auto", "b has 1 classes, a 2"),
        (changed(label=[0, 1, 2]), "auto", r"label\[2\] is 2, outside 0..1"),
        (changed(label=[0, 1, 0.5]), "auto", "label must be integers"),
        (changed(b=NAN), "auto", r"b\[0, 0\] is nan"),
        (
            changed(b=softmax(LOGITS)), "auto",
            r"b has probabilities, but a\[1\] sums to 2, .* by 'kind' what"),
        (changed(a=softmax(LOGITS), b=NAN), "auto", r"b\[0, 0\] is nan"),
        (GOOD, "probabilities", r"a\[1\] is no distribution: it sums to 2"),
        (GOOD, "log_probabilities", r"a\[0, 0\] is 1, no log-probability"),
        (GOOD, "softmax", "kind must be one of auto, logits"),
        (GOOD, np.ones(2), "kind must be one of auto, logits"),
        (changed(prior=[1, 2, 3]), "auto", "prior must be 2 shares"),
        (changed(prior=[1, -1]), "auto", "none of them negative"),
        (changed(b=np.array([["x", "y"]] * 3)), "auto", "b must .*strings"),
    ],
)  # fmt: skip
def test_bad_outputs_are_named(arrays, kind, message):
    with pytest.raises(InputError, match=message):
        of_arrays(arrays, kind=kind)


def test_the_file_is_named(tmp_path):
    np.savez(tmp_path / "o.npz", **changed(label=[0, 1, 2]))
    with pytest.raises(InputError, match=r"o\.npz.*label\[2\] is 2"):
        read(tmp_path / "o.npz")
