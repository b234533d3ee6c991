import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bounds
from bounds import _bounds, _consistency, synergy_lower, synergy_upper
from bounds.errors import InputError
from tests.bounds import synergy_helpers as helpers

SHAPE = (3, 3, 2)
HALF = np.eye(2) / 2


@settings(max_examples=15, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([(2, 2, 2), (2, 3, 2), SHAPE]),
    st.sampled_from([1.0, 0.3, 0.05]),
)
def test_interval_contains_the_truth(seed, shape, concentration):
    rng = np.random.default_rng(seed)
    p = helpers.random_tables(rng, shape, 16, concentration)
    # Padded to one shape, which is compiled once.
    p = np.pad(
        p, [(0, 0), *((0, n - m) for n, m in zip(SHAPE, shape, strict=True))]
    )
    truth = bounds.pid(p)
    out = bounds.synergy_interval(*helpers.marginals(p))
    assert (out.lower <= truth.synergy + truth.gap + 1e-9).all()
    assert (out.upper >= truth.synergy - truth.gap - 1e-9).all()
    assert (out.achieved <= out.upper).all()
    assert (out.lower >= 0).all()
    for side, sign in (("lower", 1), ("upper", -1)):
        for value in out.by_bound[side].values():
            excess = sign * (value - truth.synergy) - truth.gap
            assert (excess <= 1e-9).all()


def test_cells_below_what_a_linear_program_tells_apart():
    """Nothing is moved to marginals that have other information."""
    p = np.array(
        [
            [[1.12199893e-04, 4.28975653e-07], [4.79163798e-09, 1.3148284e-09]],
            [[2.14448637e-09, 5.15920159e-16], [0.0, 3.52552207e-09]],
        ]
    )
    p[1, 1, 0] = 1 - p.sum()
    truth, out = bounds.pid(p), bounds.synergy_interval(*helpers.marginals(p))
    assert out.distance == 0
    assert out.upper >= truth.synergy - truth.gap > 5e-9
    joint, distance = _consistency.nearest_joint(*helpers.marginals(p))
    assert distance < 1e-14
    for found, wanted in zip(
        helpers.marginals(joint), helpers.marginals(p), strict=True
    ):
        np.testing.assert_allclose(found, wanted, atol=1e-14)


@pytest.mark.parametrize("effort", ["fast", "exact"])
def test_batch_is_loop(effort, rng):
    p = helpers.random_tables(rng, SHAPE, 9).reshape(3, 3, *SHAPE)
    options = {"effort": effort, "seconds": 60}
    out = bounds.synergy_interval(*helpers.marginals(p), **options)
    one = bounds.synergy_interval(*helpers.marginals(p[1, 2]), **options)
    assert out.upper.shape == (3, 3)
    assert out.lower[1, 2] == pytest.approx(one.lower, abs=1e-8)
    assert out.upper[1, 2] == pytest.approx(one.upper, abs=2e-5)
    assert (out.by_bound["upper"].keys() >= {"exact"}) == (effort == "exact")


def test_bounds_alone_are_the_same_bounds(rng):
    p = helpers.random_tables(rng, SHAPE, 9)
    alone = bounds.synergy_interval(*helpers.marginals(p), effort="bounds")
    fast = bounds.synergy_interval(*helpers.marginals(p))
    np.testing.assert_array_equal(alone.lower, fast.lower)
    np.testing.assert_array_equal(alone.upper, fast.upper)
    assert (alone.achieved <= fast.achieved + 1e-9).all()
    assert (alone.achieved >= alone.lower - alone.gap).all()


def test_linear_programs_are_solved_once(rng, monkeypatch):
    solved = []
    run = synergy_upper._run

    def count(m, function, arrays):
        solved.append(function.__name__)
        return run(m, function, arrays)

    monkeypatch.setattr(synergy_upper, "_run", count)
    m = helpers.marginals(helpers.random_tables(rng, (2, 2, 2), 1)[0])
    bounds.synergy_interval(*m, effort="exact")
    assert solved.count("chord_bound") == 1
    assert solved.count("envelope_bound") == 3


@pytest.mark.parametrize("effort", ["bounds", "fast", "exact"])
@pytest.mark.parametrize(
    "shape", [(1, 3, 2), (3, 1, 2), (3, 3, 1), (1, 1, 2), (2, 1, 1), (1, 1, 1)]
)
def test_variables_of_one_symbol(shape, effort, rng):
    """A constant label or modality leaves no synergy, and one joint."""
    p = helpers.random_tables(rng, shape, 2)
    m = helpers.marginals(p)
    out = bounds.synergy_interval(*m, effort=effort)
    assert (out.lower == 0).all()
    assert ((out.upper >= 0) & (out.upper < 1e-7)).all()
    assert (np.abs(out.achieved) < 1e-7).all()
    for value in out.by_bound["lower"].values():
        assert (value <= 0).all()
    for value in out.by_bound["upper"].values():
        assert (value >= 0).all()
    information = bounds.information.mutual_information
    for unique, joint in ((out.unique1, m[1]), (out.unique2, m[2])):
        np.testing.assert_allclose(unique, information(joint), atol=1e-9)
    np.testing.assert_allclose(out.redundancy, 0, atol=1e-9)
    np.testing.assert_allclose(bounds.maxent(*m).joint, p, atol=1e-12)


def test_constant_label_in_a_large_batch(rng):
    p = helpers.random_tables(rng, (2, 2, 1), 9)
    out = bounds.maxent(*helpers.marginals(p))
    np.testing.assert_allclose(out.joint, p, atol=1e-12)


def test_no_tables(rng):
    p = helpers.random_tables(rng, SHAPE, 1)[:0]
    out = bounds.synergy_interval(*helpers.marginals(p), effort="exact")
    assert out.upper.shape == out.by_bound["lower"]["chernoff"].shape == (0,)


def test_swapping_the_modalities(rng):
    p = helpers.random_tables(rng, SHAPE, 9)
    a = bounds.synergy_interval(*helpers.marginals(p))
    b = bounds.synergy_interval(*helpers.marginals(p.swapaxes(1, 2)))
    np.testing.assert_allclose(a.lower, b.lower, atol=1e-8)
    np.testing.assert_allclose(a.upper, b.upper, atol=1e-8)
    np.testing.assert_allclose(a.unique1, b.unique2, atol=1e-8)


def test_gates():
    x1, x2 = np.indices((2, 2))
    for y, wanted in ((x1 & x2, (0.5, 0.5)), (x1 ^ x2, (0, 1))):
        p = np.eye(2)[y] / 4
        out = bounds.synergy_interval(*helpers.marginals(p))
        assert out.lower == pytest.approx(wanted[0], abs=1e-7)
        assert out.upper == pytest.approx(wanted[1], abs=1e-7)


def test_leading_axes_broadcast(rng):
    p = helpers.random_tables(rng, (2, 2, 2), 1)[0]
    p12, p1y, p2y = helpers.marginals(p)
    out = bounds.synergy_interval(p12, p1y[None, None], p2y[None])
    assert out.lower.shape == (1, 1)


def test_bad_input(rng):
    m = helpers.marginals(helpers.random_tables(rng, (2, 2, 2), 1)[0])
    with pytest.raises(ValueError, match="effort must be one of"):
        bounds.synergy_interval(*m, effort="slow")
    with pytest.raises(ValueError, match="project must be True or False"):
        bounds.synergy_interval(*m, project="no")
    with pytest.raises(ValueError, match=r"p12\[0, 1\] is nan"):
        bounds.synergy_interval([[0.5, np.nan], [0.2, 0.3]], *m[1:])


def test_marginals_are_checked_once_and_shared(rng, monkeypatch):
    p = rng.dirichlet(np.ones(8), size=(2, 3)).reshape(2, 3, 2, 2, 2)
    arrays = helpers.marginals(p)
    m = bounds.Marginals(*arrays)
    from_arrays = bounds.synergy_interval(*arrays)
    from_object = bounds.synergy_interval(m)
    for a, b in zip(
        jax.tree.leaves(from_arrays), jax.tree.leaves(from_object), strict=True
    ):
        np.testing.assert_array_equal(a, b)
    # All is there by now.
    monkeypatch.setattr(synergy_upper, "_run", None)
    monkeypatch.setattr("bounds.marginals.solve", None)
    for name in ("chord", "envelope"):
        np.testing.assert_array_equal(
            getattr(synergy_upper, name)(m),
            from_arrays.by_bound["upper"][name],
        )
    np.testing.assert_array_equal(
        synergy_lower.chernoff(m), from_arrays.by_bound["lower"]["chernoff"]
    )


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((HALF, HALF), {}, "p2y is missing: give p12, p1y and p2y, or one"),
        ((HALF,), {}, "p1y is missing"),
        ((None, HALF), {}, "Marginals are given alone"),
        ((None,), {"project": True}, "Marginals are given alone"),
    ],
)
def test_marginals_that_are_given_by_half(arguments, options, message):
    if arguments[0] is None:
        arguments = (bounds.Marginals(HALF, HALF, HALF), *arguments[1:])
    with pytest.raises(InputError, match=message):
        bounds.synergy_interval(*arguments, **options)


def test_a_bound_of_ones_own_is_one_function(monkeypatch):
    monkeypatch.setattr(synergy_lower, "LOWER", dict(synergy_lower.LOWER))
    monkeypatch.setattr("bounds.synergy.LOWER", synergy_lower.LOWER)

    @_bounds.bound(synergy_lower.LOWER)
    def least(m):
        """A bound that nobody beats on these tables."""
        return m.entropy - m.entropy + 0.01

    interval = bounds.synergy_interval(HALF, HALF, HALF)
    assert interval.by_bound["lower"]["least"] == 0.01
    assert interval.lower == 0.01
    assert least(HALF, HALF, HALF) == 0.01
    assert least(bounds.Marginals(HALF[None], HALF, HALF)).shape == (1,)
