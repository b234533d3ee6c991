"""From features to a decomposition, with our classifiers and anyone's."""

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression

import bounds
from bounds import problems
from bounds.errors import InputError
from bounds.estimation import _outputs, classifiers, features
from bounds.estimation._likeliest import likeliest
from bounds.estimation.frames import class_codes
from bounds.estimation.late_fusion import fuse
from bounds.estimation.refits import refits
from tests.bounds.estimation import quantify_helpers

pytestmark = pytest.mark.usefixtures("nothing_is_fitted_twice")
PARTS = ("redundancy", "unique1", "unique2", "synergy")


@pytest.fixture(scope="module")
def alone():
    """A second modality that adds nothing to the first."""
    return problems.named("alone4").sample(240, 0)


def test_features_are_decomposed_and_decided(alone):
    out = bounds.pid_of_features(
        alone.x1, alone.x2, alone.labels, names=("image", "text"),
        replicates=50, margin=0.1, folds=3,
    )  # fmt: skip
    truth = problems.named("alone4").truth
    for part in PARTS:
        assert getattr(out.pid, part) == pytest.approx(
            getattr(truth, part), abs=0.15
        )
    assert out.recommendation.text == "one modality alone: image"
    assert out.pid.overclaimed != 0
    assert set(out.classifiers) == {"first", "second", "joint"}
    # The first modality is all that both are, and linear in its features.
    assert out.interaction.upper < 0.1
    # Four classes of sixty samples are learned by half of them.
    assert tuple(out.learned) == ("first", "second", "joint")
    for low, high in out.learned.values():
        assert low < 0.05
        assert -0.05 < high < 0.2


def test_refits_know_their_world():
    """A classifier that is its own truth costs what its noise costs."""
    rng = np.random.default_rng(0)
    posteriors = dict.fromkeys(
        ("first", "second", "joint"), rng.dirichlet([0.3, 0.3], 200)
    )
    chosen = {role: {"name": "any", "calibration": ""} for role in posteriors}
    pid = bounds.pid_of_posteriors(
        posteriors["first"], posteriors["second"], r12=posteriors["joint"],
        replicates=2,
    )  # fmt: skip
    asked, y = [], np.arange(200) % 2

    def perfect(role, kind, labels):
        asked.append((role, kind, labels))
        return posteriors[role]

    def ignorant(role, kind, labels):
        return np.full((200, 2), posteriors[role].mean(0))

    # Samples alone in their folds deny nothing, and chance is out of it.
    options = {"number": 2, "weights": np.ones(200), "seed": 0,
               "units": np.arange(200), "fold": np.arange(200)}  # fmt: skip
    out = refits(pid, posteriors, chosen, perfect, y, **options)
    assert out.bias == pytest.approx(dict.fromkeys(out.bias, 0), abs=1e-3)
    assert out.deviation == pytest.approx(
        {q: pid.deviation[q] for q in out.deviation}, abs=1e-3
    )
    # Labels are drawn from the posteriors.
    role, kind, labels = asked[0]
    assert (role, kind) == ("first", "any")
    expected = np.log(posteriors[role][np.arange(200), labels]).mean()
    entropy = (posteriors[role] * np.log(posteriors[role])).sum(1).mean()
    assert expected == pytest.approx(entropy, abs=0.1)
    # What knows nothing costs all that is known.
    out = refits(pid, posteriors, chosen, ignorant, y, **options)
    assert out.bias["total"] == pytest.approx(-pid.total, abs=1e-3)
    # Twice that is more than the label has.
    assert 2 * pid.total > 1.1
    assert out.value["total"] == 1
    assert out.interval["total"][1] == 1


def test_refits_of_many_classes_agree_on_their_shares():
    """Labels that are drawn apart have other shares, which no data have."""
    s = problems.named("halves16").sample(240)
    posteriors = {"first": s.posterior1, "second": s.posterior2,
                  "joint": s.posterior12}  # fmt: skip
    pid = bounds.pid_of_posteriors(
        s.posterior1, s.posterior2, r12=s.posterior12, replicates=2
    )

    def fitted(role, kind, labels):
        # Exaggerated: what is common looks commoner.
        shares = np.bincount(labels, minlength=16) / len(labels)
        p = posteriors[role] * (16 * shares) ** 3
        return p / p.sum(1, keepdims=True)

    out = refits(
        pid, posteriors, {r: {"name": "any", "calibration": ""} for r in
                          posteriors}, fitted, s.labels,
        number=2, weights=np.ones(240), units=np.arange(240),
        fold=np.arange(240), seed=0,
    )  # fmt: skip
    # Less the shares they are the posteriors again.
    assert out.bias == pytest.approx(dict.fromkeys(out.bias, 0), abs=0.01)


def test_classifiers_of_your_own(alone):
    x1, x2, y = alone.x1, alone.x2, alone.labels
    lda = LinearDiscriminantAnalysis()
    own = {"first": lda, "second": lda, "joint": lda}
    out = bounds.pid_of_features(x1, x2, y, own=own, replicates=20, refits=2)
    # Some 240 samples fit a dozen parameters well.
    assert abs(out.refits.bias["total"]) < 0.1
    assert out.refits.deviation["total"] > out.pid.deviation["total"]
    assert not hasattr(lda, "classes_")  # copies were fitted
    assert out.classifiers["first"]["name"] == "own"
    assert out.interaction is None
    assert out.pid.unique1 == pytest.approx(0.77, abs=0.15)
    fitted = {
        "first": LinearDiscriminantAnalysis().fit(x1[:120], y[:120]),
        "second": LinearDiscriminantAnalysis().fit(x2[:120], y[:120]),
    }
    out = bounds.pid_of_features(
        x1[120:], x2[120:], y[120:], own=fitted, fitted=True, replicates=20
    )
    # Without a joint classifier of your own there is late fusion; here the
    # second adds nothing to the first.
    assert out.classifiers["joint"]["name"] in ("late fusion", "first")
    assert out.pid.unique1 == pytest.approx(0.77, abs=0.2)


def test_fits_to_halves_have_not_seen_each_other(alone, monkeypatch):
    given, calls = {}, []

    def never(*rows, **options):
        given.update(options)
        raise InputError("enough")

    class Flat:
        def fit(self, x, y):
            self.seen = set(x[:, 0])

        def predict_proba(self, x):
            calls.append((self.seen, set(x[:, 0])))
            return np.full((len(x), 4), 0.25)

    monkeypatch.setattr(_outputs, "pid_of_posteriors", never)
    own = {"first": Flat(), "second": Flat()}
    units, weights = np.arange(240) // 2, 1 + np.arange(240) % 3
    with pytest.raises(InputError, match="enough"):
        bounds.pid_of_features(
            alone.x1, alone.x2, alone.labels, own=own, groups=units,
            weights=weights,
        )  # fmt: skip
    np.testing.assert_array_equal(given["groups"], units)
    assert np.ptp(given["weights1"] / weights) < 1e-12
    # Samples of a fold are those that one fit of each side has answered for.
    of_fold = {k: set(np.flatnonzero(given["folds"] == k)) for k in range(5)}
    rows = {x: i for i, x in enumerate(alone.x1[:, 0])}
    asked = [{rows[x] for x in some} for _, some in calls[:5]]
    assert sorted(map(sorted, asked)) == sorted(map(sorted, of_fold.values()))
    # Five folds of either side, then three divisions of either.
    assert len(calls) == 2 * 5 + 2 * 3 * 2
    for seen, asked in calls[10:]:
        assert not seen & asked
        assert len(seen) + len(asked) == 240
    for a, b in zip(calls[10::2], calls[11::2], strict=True):
        assert not a[0] & b[0]
    for _, _, half in given["halves"]:
        assert 90 < half.sum() < 150
        np.testing.assert_array_equal(half[::2], half[1::2])


class Frame(dict):
    """What is asked of a data frame, which pandas' have."""

    columns = property(lambda self: list(self))


def test_a_frame_and_names_are_arrays_and_codes(alone, monkeypatch):
    lda = LinearDiscriminantAnalysis()
    own = {"first": lda, "second": lda}
    x1, x2, y = alone.x1, alone.x2, alone.labels
    names = {f"image {i}": x1[:, i] for i in range(x1.shape[1])}
    other = {f"text {i}": x2[:, i] for i in range(x2.shape[1])}
    frame = Frame(**names, **other, kind=np.array(["a", "b", "c", "d"])[y])
    columns = {"image": list(names), "text": list(other)}
    found = bounds.pid_of_frame(frame, columns, "kind", own=own, replicates=9)
    plain = bounds.pid_of_features(x1, x2, y, own=own, replicates=9)
    assert found.pid.unique1 == pytest.approx(plain.pid.unique1, abs=1e-9)
    assert "image" in found.recommendation.reasons[1]
    with monkeypatch.context() as patch:
        patch.setattr(features, "pid_of_features", lambda *_, **given: given)
        given = bounds.pid_of_frame(
            Frame(**frame, person=y // 2, often=y + 1), columns, "kind",
            groups="person", weights="often", folds=2,
        )  # fmt: skip
    np.testing.assert_array_equal(given.pop("groups"), y // 2)
    np.testing.assert_array_equal(given.pop("weights"), y + 1)
    assert given == {"names": ("image", "text"), "folds": 2}
    with pytest.raises(InputError, match="text: the frame has no column 'z'"):
        bounds.pid_of_frame(frame, columns | {"text": ["z"]}, "kind")
    with pytest.raises(InputError, match="label: the frame has no column 'y'"):
        bounds.pid_of_frame(frame, columns, "y")
    with pytest.raises(InputError, match="must be a data frame.*ndarray"):
        bounds.pid_of_frame(x1, columns, "kind")
    with pytest.raises(InputError, match=r"columns must map .*, got \['image'"):
        bounds.pid_of_frame(frame, list(columns), "kind")
    with pytest.raises(InputError, match="two modalities, got 1"):
        bounds.pid_of_frame(frame, {"image": ["image 0"]}, "kind")
    with pytest.raises(InputError, match="modality 'text' has no columns"):
        bounds.pid_of_frame(frame, columns | {"text": []}, "kind")


@pytest.mark.parametrize(
    ("labels", "codes", "names"),
    [
        (["b", "a", "b"], [1, 0, 1], ("a", "b")),
        (np.array(["b", "a", "b"], object), [1, 0, 1], ("a", "b")),
        ([2, 0, 1], [2, 0, 1], ()),
    ],
)
def test_labels_are_codes_or_names(labels, codes, names):
    found = class_codes(labels)
    assert found[0].tolist() == codes
    assert found[1] == names


@pytest.mark.parametrize(
    "mixed", [["a", 1, "b"], ["a", None], [1, float("nan")]]
)
def test_labels_of_mixed_types_are_refused(mixed):
    with pytest.raises(InputError, match="mixed types, .* and .*: drop"):
        class_codes(np.array(mixed, object))


class NoProbabilities(LogisticRegression):
    predict_proba = None


ROW = np.arange(20)
X, Y = np.arange(40.0).reshape(20, 2), ROW % 2


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((X[1:], X, Y), {}, "x1 has 19 samples, labels has 20"),
        ((X, np.full((20, 2), np.nan), Y), {}, "x2"),
        ((X, X, Y * 0), {}, "two classes with 5 each"),
        ((X, X, Y), {"folds": 11}, "class 0 has 10 samples"),
        (
            (X, X, np.array(["dog", "cat"])[Y]),
            {"folds": 11},
            "class cat has 10 samples",
        ),
        ((X, X, 3 * Y + 101), {}, "are 0 to K-1 without holes, such as np."),
        ((X, X, [[0], [1, 2]]), {}, "labels cannot be read"),
        ((X, X, Y), {"groups": [1]}, "groups has 1 entries"),
        ((X, X, Y), {"own": 0}, "own must map first, second, joint to"),
        ((X, X, Y), {"names": ("a",)}, "names must be two names"),
        ((X, X, Y), {"calibration": "platt"}, "calibration must be one of"),
        (
            (X, X, Y),
            {"groups": ROW // 5},
            "4 groups are fewer than 5 folds",
        ),
        (
            (X, X, Y),
            {"groups": Y, "folds": 2},
            "all samples outside fold 0 have one label: use fewer folds, or "
            "smaller groups",
        ),
        (
            (X, X, ROW // 7),
            {"groups": ROW // 7, "folds": 3},
            "no sample outside fold 0 has class",
        ),
        (
            (X, X, Y),
            {"weights": Y == 1},
            "weights are 0 for all samples but those of class 1",
        ),
        (
            (X, X, ROW // 7),
            {"weights": (ROW // 7 != 1) | (ROW == 12)},
            "no sample with a weight above 0 outside fold",
        ),
        (
            (X, X, Y),
            {"weights": (Y == 1) | (ROW == 12)},
            "all samples with a weight above 0 outside fold",
        ),
        ((X, X, Y), {"refits": 1}, "refits must be 0, or 2 and more, got 1"),
        (
            (X, X, Y),
            {"refits": 2, "fitted": True, "own": {}},
            "refits must be 0 with fitted=True, got 2: classifiers that were",
        ),
        ((X, X, Y), {"own": {"third": 1}}, "own must be one of"),
        ((X, X, Y), {"own": {"first": LogisticRegression()}}, "no classifier"),
        (
            (X, X, Y),
            {"own": dict.fromkeys(("first", "second"), NoProbabilities())},
            "own['first'] has no method predict_proba",
        ),
        (
            (X, X, Y),
            {"own": dict.fromkeys(("first", "second"), LogisticRegression)},
            "own['first'] is the class LogisticRegression; give an object",
        ),
    ],
)
def test_bad_input_is_named(arguments, options, message):
    with pytest.raises(bounds.InputError) as caught:
        bounds.pid_of_features(*arguments, **options)
    assert message in str(caught.value)


@pytest.mark.parametrize("name", ["margin", "strength", "components"])
def test_bad_options_are_named_before_any_fit(monkeypatch, name):
    monkeypatch.setattr(classifiers, "Compress", quantify_helpers.never)
    with pytest.raises(bounds.InputError, match=f"{name} must be"):
        bounds.pid_of_features(X, X, Y, **{name: -1})


def test_answers_for_other_classes_are_refused():
    three = LogisticRegression().fit(X, np.arange(20) % 3)
    with pytest.raises(bounds.InputError, match="answers for 3 classes"):
        bounds.pid_of_features(
            X, X, Y, own={"first": three, "second": three}, fitted=True
        )


def test_late_fusion_is_exact_for_independent_modalities():
    """Given the label: log-posteriors add up."""
    samples = problems.gaussian(shared=3, noise=(3, 4), seed=1).sample(4000)
    fused = fuse(samples.posterior1, samples.posterior2, samples.labels)
    np.testing.assert_allclose(fused.sum(1), 1)
    rows = np.arange(4000)
    bits = [
        np.log2(p[rows, samples.labels])
        for p in (fused, samples.posterior12, samples.posterior1)
    ]
    assert bits[1].mean() - bits[0].mean() < 0.01
    assert bits[0].mean() - bits[2].mean() > 0.1


@pytest.mark.parametrize(
    "answers",
    [
        lambda r, y, **of: fuse(r, r[:, ::-1], y, **of),
        lambda r, y, **of: bounds.calibrate(r, y, **of).probabilities,
    ],
)
def test_nobody_answers_for_labels_that_were_fitted_to(rng, answers):
    r = np.repeat(rng.dirichlet([1, 1], 30), 2, axis=0)
    y, group = np.repeat(rng.integers(2, size=30), 2), np.arange(60) // 2
    first = group == 0
    of = {"groups": group, "weights": np.where(group == 1, 0, 1 + group % 3)}
    found = answers(r, y, **of)
    # A group has one fold, which has seen none of its labels.
    np.testing.assert_array_equal(found[::2], found[1::2])
    other = answers(r, np.where(first, 1 - y, y), **of)
    np.testing.assert_array_equal(other[first], found[first])
    assert not np.allclose(other[~first], found[~first])
    # Nor has any seen labels of no weight; and weights are multiplicities.
    same = answers(r, np.where(group == 1, 1 - y, y), **of)
    np.testing.assert_array_equal(same, found)
    assert not np.allclose(answers(r, y, groups=group), found)


def test_late_fusion_needs_rows_that_match():
    p = np.full((20, 2), 0.5)
    with pytest.raises(bounds.InputError, match="r1 has shape"):
        fuse(p, p[1:], Y)


def test_the_likeliest_is_calibrated_before_it_is_chosen(rng):
    """An overconfident classifier may know the most."""
    y = rng.integers(2, size=2000)
    x = y + 0.5 * rng.normal(size=2000)
    odds = 4 * (x - 0.5)
    sharp = 1 / (1 + np.exp(-5 * odds))
    good = 1 / (1 + np.exp(-odds - rng.normal(size=2000)))
    outputs = {k: np.stack([1 - p, p], 1) for k, p in
               (("sharp", sharp), ("good", good))}  # fmt: skip
    options = {"weights": np.ones(2000), "groups": np.arange(2000),
               "folds": 5, "seed": 0}  # fmt: skip
    assert likeliest(outputs, y, calibration="", **options).name == "good"
    out = likeliest(outputs, y, calibration="temperature", **options)
    assert (out.name, out.calibration) == ("sharp", "temperature")
    np.testing.assert_allclose(
        out.log_likelihood, np.log2(out.posteriors[np.arange(2000), y])
    )


def test_of_both_calibrations_the_likelier_is_taken():
    label = np.tile([0, 1], 200)
    seen = np.where(np.arange(400) % 5 == 0, 1 - label, label)
    # Shares of the classes that are off need an offset, which is in "vector".
    off = (np.eye(2)[seen] * 0.6 + 0.2) * [3.0, 1.0]
    off /= off.sum(1, keepdims=True)
    options = {"weights": np.ones(400), "groups": np.arange(400),
               "folds": 5, "seed": 0}  # fmt: skip
    out = likeliest({"one": off}, label, calibration="auto", **options)
    assert out.calibration == "vector"
    assert out.posteriors[:, 0].mean() == pytest.approx(0.5, abs=0.01)
    # Only those of some samples count.
    half = options | {"weights": (label == 0).astype(float)}
    out = likeliest({"one": off}, label, calibration="auto", **half)
    assert out.posteriors[:, 0].mean() > 0.9
