import numpy as np
import pytest

from arm_jax.analysis import beside as analysis
from arm_jax.data.outputs import of_arrays
from arm_jax.errors import InputError
from arm_jax.reports import beside as report


def outputs(rng, sizes=(2.0, 0.5), names=("b", "a")):
    """Of a model of two Gaussians: exact posteriors of two classes."""
    label = np.arange(400) % 2
    x = [(2 * label - 1) * d + rng.normal(size=400) for d in sizes]
    logits = [2 * d * v for d, v in zip(sizes, x, strict=True)]
    of = lambda z: np.stack([-z / 2, z / 2], axis=1)
    both = "+".join(names)
    arrays = {n: of(z) for n, z in zip(names, logits, strict=True)}
    return of_arrays({**arrays, both: of(sum(logits)), "label": label})


def pair(value, half=0.02):
    keys = analysis.QUANTITIES
    return {
        "first": "a", "second": "b",
        "posteriors": {
            "value": dict(zip(keys, value, strict=True)),
            "interval": {
                k: (v - half, v + half)
                for k, v in zip(keys, value, strict=True)
            },
            "doubts": [],
        },
    }  # fmt: skip


def test_they_are_in_the_order_of_the_data(rng):
    given = outputs(rng)
    assert given.modalities == ("b", "a")
    ordered = analysis.matched(given, ("a", "b", "c"), 2, "data")
    assert ordered.modalities == ("a", "b")
    found = analysis.beside(ordered, {"a & b": pair([0.1, 0, 0.6, 0.1, 0.8])})
    value = found["decomposition"]["a & b"]["value"]
    # The second, of the data, knows more.
    assert value["unique2"] > 0.4 > value["unique1"] + 0.3
    assert list(found["subsets"]) == ["b", "a", "a+b"]


def test_what_differs_by_more_than_the_intervals(rng):
    given = analysis.matched(outputs(rng), ("a", "b"), 2, "data")
    model = analysis.beside(given, {})["decomposition"]["a & b"]["value"]
    known = [model[q] for q in analysis.QUANTITIES]
    more = [*known[:1], known[1] + 0.5, known[2] - 0.3, *known[3:]]
    pairs = {"a & b": pair(more), "a & c": pair(known)}
    found = analysis.beside(given, pairs)
    assert [d["quantity"] for d in found["differences"]["a & b"]] == [
        "unique1",
        "unique2",
    ]
    # There are no outputs of the other pair.
    assert list(found["differences"]) == ["a & b"]
    lines = report.sentences({"model": found, "pairs": pairs})
    assert len(lines) == 2
    assert "that only a has, less than the classifiers of the data" in lines[0]
    assert "that only b has, more than the classifiers of the data" in lines[1]
    header, rows = report.table({"model": found, "pairs": pairs})
    assert [row[:2] for row in rows] == [["a & b", "data"], ["a & b", "model"]]
    assert len(header) == len(rows[0]) == 7
    assert rows[0][3].startswith(f"{known[1] + 0.5:.3f} [")

    found = analysis.beside(given, {"a & b": pair(known)})
    (line,) = report.sentences({"model": found, "pairs": pairs})
    assert "no difference" in line


@pytest.mark.parametrize(
    ("modalities", "classes", "message"),
    [
        (("a", "c"), 2, "outputs of 'b', a modality that data has not.*a, c"),
        (("a", "b"), 3, "for 2 classes; data has 3"),
    ],
)
def test_of_other_data(modalities, classes, message, rng):
    with pytest.raises(InputError, match=message):
        analysis.matched(outputs(rng), modalities, classes, "data")


def test_outputs_without_those_of_both(rng):
    given = outputs(rng)
    alone = {frozenset(m): given.log_probs[frozenset(m)] for m in ("a", "b")}
    extra = of_arrays(
        {
            **{m: np.exp(alone[frozenset(m)]) for m in ("a", "b")},
            "c": np.full((400, 2), 0.5),
            "a+b+c": np.exp(given.log_probs[given.full]),
            "label": given.label,
        }
    )
    pairs = {"a & b": pair([0.1, 0, 0.6, 0.1, 0.8])}
    found = analysis.beside(extra, pairs) | {"file": "x.npz"}
    results = {"model": found, "pairs": pairs}
    kinds = [type(block) for block in report.blocks(results)]
    # What it is about, the sentence why, and the accuracies.
    assert kinds == [str, list, tuple]
    text = "\n".join(report.markdown(results))
    assert "a & b: there are no outputs of both together." in text
    assert "only together" not in text
