import numpy as np
import pytest
from scipy import optimize

from arm_jax import methods
from arm_jax.errors import InputError
from arm_jax.methods.g_blending import weights_of
from arm_jax.valuation import Subsets
from tests.arm_jax import helpers


def test_weights_by_hand():
    # 1 / 1, 1 / 4 and 2 / 4.
    weights = weights_of(np.array([1.0, 1, 2]), np.array([1.0, -2, 2]))
    np.testing.assert_allclose(weights, np.array([4, 1, 2]) / 7)
    # What does not gain has no weight, unless the sign does not count.
    gains, growths = np.array([1.0, -1.0]), np.array([1.0, 1.0])
    np.testing.assert_allclose(weights_of(gains, growths), [1, 0])
    np.testing.assert_allclose(weights_of(gains, growths, True), [0.5, 0.5])
    np.testing.assert_allclose(weights_of(-gains[:1], growths[:1]), [1])
    np.testing.assert_allclose(weights_of(-np.ones(4), np.ones(4)), 0.25)
    # A gap that did not grow: all the weight, and no division by 0.
    found = weights_of(np.ones(2), np.array([0.0, 1.0]))
    np.testing.assert_allclose(found, [1, 0], atol=1e-7)


def test_weights_minimise_overfitting_by_generalisation(rng):
    # On a quadratic: steps v_k with gain G_k, and independent overfitting of
    # variance D_k^2; the blend overfits by sum w_k^2 D_k^2.
    for _ in range(5):
        gains, growths = rng.uniform(0.2, 1, size=(2, 4))

        def ratio(w, gains=gains, growths=growths):
            return (w**2 * growths**2).sum() / (w @ gains) ** 2

        best = optimize.minimize(
            ratio,
            np.full(4, 0.25),
            constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
            tol=1e-12,
        ).x
        np.testing.assert_allclose(weights_of(gains, growths), best, atol=1e-3)


class Forking(helpers.EpochByHand):
    """Training on a loss moves the log-odds of its modality, and no other."""

    # Gain on training and on validation.
    effect = {0: (2.0, 1.0), 1: (1.0, 0.5), 2: (3.0, -1.0)}

    def fork(self, steps, *, variables=None, **rest):
        self.steps_of_forks.append(steps)
        return variables.replace(
            params=variables.params | {"trained": variables.memory["weights"]}
        )

    def survey(self, split="train", variables=None):
        which = ("train", "validation").index(split)
        moved = variables.params.get("trained", np.zeros(3))
        z = [self.effect[k][which] * moved[k] for k in range(3)]
        full = np.array([[z[2], 0.0]])
        full = full - np.log(np.exp(full).sum())
        features = {"a": np.array([[z[0], 0.0]]), "b": np.array([[z[1], 0.0]])}
        return methods.Survey(
            features, Subsets(full, None, None), np.array([0]), None
        )


def epoch(number):
    head = {"kernel": np.eye(2, dtype=np.float32), "bias": np.zeros(2)}
    features = {"a": np.zeros((1, 2)), "b": np.zeros((1, 2))}
    one = methods.Survey(features, None, np.array([1]), None)
    made = Forking(
        {"train": one},
        number=number,
        memory={"weights": np.full(3, 1 / 3, np.float32)},
        params={"method": {"a": head, "b": head}},
    )
    made.steps, made.steps_of_forks = 5, []
    return made


def test_estimate_by_hand():
    method = methods.create("g_blending", {"every": 4})
    due = epoch(8)
    method.begin_epoch(due)
    # Of 10 epochs, the third super-epoch has two.
    assert due.steps_of_forks == [10, 10, 10]
    loss = lambda z: np.log1p(np.exp(-z))
    gains = [loss(0) - loss(z) for z in (1.0, 0.5, -1.0)]
    growths = [
        loss(held_out) - loss(train)
        for train, held_out in ((2.0, 1.0), (1.0, 0.5), (3.0, -1.0))
    ]
    expected = np.array([gains[0], gains[1], 0]) / np.square(growths)
    found = due.variables.memory["weights"]
    np.testing.assert_allclose(found, expected / expected.sum(), rtol=1e-5)
    assert found.dtype == np.float32
    later = epoch(9)
    method.begin_epoch(later)
    assert not later.steps_of_forks


def test_all_the_weight_on_one_loss_is_that_loss():
    features = {"a": [[1.0, 0.0]], "b": [[0.0, 2.0]]}
    method, batch = methods.create("g_blending", {}), helpers.bare_batch([1])
    joint = methods.create("joint", {})
    heads = {
        name: {"kernel": np.eye(2, dtype=np.float32), "bias": np.zeros(2, "f")}
        for name in "ab"
    }
    losses = [np.log1p(np.exp(1)), np.log1p(np.exp(-2))]
    for k, one in enumerate(np.eye(3, dtype=np.float32)):
        seen = helpers.bare_forward(features, memory={"weights": one})
        seen = seen._replace(parameters=heads)
        value, _ = method.loss(seen, batch)
        if k == 2:
            assert value == joint.loss(seen, batch)[0]
        else:
            assert value == pytest.approx(losses[k], rel=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"every": 0}, "every must be at least 1, got 0"),
        ({"gain": "any"}, "gain must be one of positive, absolute, got 'any'"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(InputError, match=rf"method\.options\.{message}"):
        methods.create("g_blending", options)
