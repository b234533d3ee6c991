import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from arm_jax import methods, shapley
from arm_jax.errors import InputError
from arm_jax.gaussian import Gaussian
from arm_jax.methods.arm import ARM, fusion_weights, replay_weakest
from arm_jax.methods.terms import contribution_gap
from arm_jax.valuation import (
    Subsets,
    conditional_contributions,
    expected_conditional_contributions,
    modalities_first,
    subset_log_probs,
)
from tests.arm_jax import helpers


def test_gap_by_hand():
    # Pairs: |3-1| = 2, |3-0| = 3, |1-0| = 1.
    np.testing.assert_allclose(contribution_gap(jnp.array([3.0, 1, 0])), 2)
    # The gradient is on the smaller of each pair: 1 loses once, 0 twice.
    gradient = jax.grad(contribution_gap)(jnp.array([3.0, 1, 0]))
    np.testing.assert_allclose(gradient, [0, -1 / 3, -2 / 3])


def test_gap_of_one_modality_is_zero():
    assert contribution_gap(jnp.array([2.0])) == 0


def test_gap_is_invariant_under_order(rng):
    phi = rng.normal(size=4).astype(np.float32)
    np.testing.assert_allclose(
        contribution_gap(jnp.asarray(phi)),
        contribution_gap(jnp.asarray(phi[::-1].copy())),
        rtol=1e-6,
    )


@functools.cache
def term_gradient(form, modalities):
    """Gradient of the balanced term alone, and the modalities' phi."""
    model = helpers.tiny_model(modalities)
    params, _ = model.init(jax.random.key(1))
    batch = helpers.tiny_batch(size=32, modalities=modalities)

    def value(params, balance):
        method = methods.create(
            "arm",
            {"form": form, "balance": balance, "unimodal": 0.0}
            | {"fusion": "none"},
        )
        forward = helpers.forward(model, params, batch)
        return method.loss(forward, batch)[0]

    @jax.jit
    def term(params):
        forward = helpers.forward(model, params, batch)
        phi = conditional_contributions(forward.log_probs(), batch["label"])
        return value(params, 1.0) - value(params, 0.0), phi.mean(-1)

    (found, phi), gradient = jax.value_and_grad(term, has_aux=True)(params)
    return gradient, np.asarray(phi), found


@pytest.mark.parametrize("modalities", [("a", "b"), ("a", "b", "c")], ids=len)
def test_strict_form_leaves_the_dominant_encoder_alone(modalities):
    gradient, phi, _ = term_gradient("strict", modalities)
    for m, name in enumerate(modalities):
        size = max(
            float(jnp.abs(g).max())
            for g in jax.tree.leaves(gradient["encoders"][name])
        )
        if m == phi.argmax():
            assert size == 0.0
        else:
            assert size > 0


def test_loose_form_moves_the_dominant_encoder():
    gradient, phi, _ = term_gradient("loose", ("a", "b"))
    dominant = ("a", "b")[phi.argmax()]
    leaves = jax.tree.leaves(gradient["encoders"][dominant])
    assert max(float(jnp.abs(g).max()) for g in leaves) > 0


def test_forms_have_the_same_value():
    values = [
        term_gradient(form, ("a", "b"))[2] for form in ("loose", "strict")
    ]
    np.testing.assert_allclose(*values, atol=1e-6)


def test_without_its_terms_it_is_joint():
    model = helpers.tiny_model()
    params, _ = model.init(jax.random.key(0))
    batch = helpers.tiny_batch()
    forward = helpers.forward(model, params, batch)
    plain = methods.create(
        "arm", {"unimodal": 0.0, "balance": 0.0, "fusion": "none"}
    )
    np.testing.assert_allclose(
        plain.loss(forward, batch)[0],
        methods.create("joint", {}).loss(forward, batch)[0],
        rtol=1e-6,
    )


@pytest.mark.parametrize("form", ["loose", "strict"])
def test_loss_by_hand(form):
    features = {
        "a": np.array([[2.0, 0.0, 1.0], [0.0, 1.0, 0.5], [1.0, 0.0, 3.0]]),
        "b": np.array([[0.5, 1.0, 0.0], [1.0, 0.0, 0.0], [9.0, 9.0, 0.0]]),
    }
    batch = helpers.bare_batch([0, 1, 2])
    # The last one is a copy, of a alone: no contribution is measured on it.
    batch["mask"][2, 1] = 0
    forward = helpers.bare_forward(features)
    forward = forward._replace(
        head=lambda f, mask, head=forward.head: head(
            f, jnp.atleast_2d(mask) * batch["mask"]
        )
    )
    weights = {"unimodal": 0.5, "balance": 3.0, "joint": 0.25}
    method = methods.create("arm", {"form": form, "fusion": "none"} | weights)
    value, metrics, carry = method.loss(forward, batch)

    def log_p(z):
        return (z - np.log(np.exp(z).sum(1, keepdims=True)))[range(3), range(3)]

    a, b = features["a"], features["b"] * batch["mask"][:, 1:]
    full, a, b = map(log_p, (a + b, a, b))
    phi = np.array([(full - b)[:2].mean(), (full - a)[:2].mean()])
    assert phi[0] - phi[1] > 0.1
    np.testing.assert_allclose(carry, phi, rtol=1e-5)
    np.testing.assert_allclose(
        metrics["contribution_gap"], phi[0] - phi[1], rtol=1e-5
    )
    costs = -full.mean(), -a.mean() - b[:2].sum() / 3, phi[0] - phi[1]
    expected = np.dot([1.25, 0.5, 3], costs)
    np.testing.assert_allclose(value, expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"balance": -0.1}, "balance must be at least 0, got -0.1"),
        ({"unimodal": -1.0}, "unimodal must be at least 0"),
        ({"joint": float("nan")}, "joint must be at least 0, got nan"),
        ({"form": "hard"}, "form must be one of .* got 'hard'"),
        ({"fusion": "sum"}, "fusion must be one of .* got 'sum'"),
        ({"temperature": 0.0}, "temperature must be above 0"),
        ({"replay": 1.5}, "replay must be at most 1, got 1.5"),
        ({"warmup": -1}, "warmup must be at least 0, got -1"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(InputError, match=message):
        methods.create("arm", options)


def test_fusion_weights_by_hand():
    contributions = jnp.array([1.0, 0.0, 2.0])
    everything = fusion_weights(contributions, jnp.ones(3), 1.0)
    np.testing.assert_allclose(everything.sum(), 3, rtol=1e-6)
    np.testing.assert_allclose(
        everything[0] / everything[1], np.exp(1), rtol=1e-5
    )
    some = fusion_weights(contributions, jnp.array([1.0, 1, 0]), 0.5)
    np.testing.assert_allclose(some.sum(), 2, rtol=1e-6)
    np.testing.assert_allclose(some[0] / some[1], np.exp(2), rtol=1e-5)
    assert some[2] == 0
    # A modality alone is never weighted, and no modality is no NaN.
    np.testing.assert_allclose(
        fusion_weights(contributions, jnp.array([0.0, 1, 0]), 1.0), [0, 1, 0]
    )
    np.testing.assert_array_equal(
        fusion_weights(contributions, jnp.zeros(3), 1.0), 0
    )


@pytest.mark.parametrize("fusion", ["running", "sample"])
def test_fusion_leaves_modalities_alone_as_they_are(fusion):
    method = methods.create("arm", {"fusion": fusion, "temperature": 0.2})
    model = helpers.tiny_model()
    params, _ = model.init(jax.random.key(0))
    features = helpers.encode(model, params, helpers.tiny_batch()["inputs"])
    head = lambda f, mask: model.head(params, f, mask, helpers.NO_STATE)
    memory = jnp.array([2.0, 1.0])
    fused = lambda f, mask: method.fuse(head, f, mask, memory, ())
    plain, weighted = (subset_log_probs(h, features) for h in (head, fused))
    np.testing.assert_allclose(weighted.alone, plain.alone, atol=1e-6)
    assert jnp.abs(weighted.full - plain.full).max() > 1e-3


@pytest.mark.parametrize(
    ("fusion", "missing"),
    [("running", True), ("sample", False), ("sample", True)],
)
def test_masks_at_once_are_masks_one_by_one(fusion, missing, rng):
    method = methods.create("arm", {"fusion": fusion, "temperature": 0.2})
    names = ("a", "b", "c")
    model = helpers.tiny_model(names)
    params, _ = model.init(jax.random.key(0))
    features = {
        name: rng.normal(size=(8, 5)).astype(np.float32) for name in names
    }
    head = lambda f, mask: model.head(params, f, mask, helpers.NO_STATE)
    present = rng.integers(2, size=(8, 3)).astype(np.float32)
    masks = shapley.coalitions(3)[[0, 3, 5, 6, 7, 1]].astype(np.float32)
    rest = jnp.array([2.0, 1.0, 0.5]), ()

    @jax.jit
    def both(features, present):
        seen = masks[:, None] * (present if missing else jnp.ones((8, 3)))[None]
        each = [method.fuse(head, features, mask, *rest) for mask in seen]
        given = present if missing else None
        at_once = method.fuse_masks(head, features, masks, given, *rest)
        return at_once, jnp.stack(each)

    at_once, each = both(features, present)
    np.testing.assert_allclose(at_once, each, atol=1e-6)


def test_masks_of_numbers_at_once(rng):
    # A Gaussian stands in the place of logits.
    method = methods.create("arm", {"temperature": 0.2})
    weights = rng.normal(size=(3, 4, 2)).astype(np.float32)
    features = {m: rng.normal(size=(8, 4)).astype(np.float32) for m in "abc"}

    def head(features, mask):
        terms = jnp.stack(
            [x @ w for x, w in zip(features.values(), weights, strict=True)]
        )
        mask = jnp.atleast_2d(mask).T[..., None]
        return Gaussian.of_outputs((mask * terms).sum(0))

    masks = shapley.coalitions(3).astype(np.float32)

    @jax.jit
    def both(features):
        each = [method.fuse(head, features, mask, (), ()) for mask in masks]
        at_once = method.fuse_masks(head, features, masks, None, (), ())
        return at_once.mean, jnp.stack([x.mean for x in each])

    at_once, each = both(features)
    np.testing.assert_allclose(at_once, each, atol=1e-5)


def test_a_fusion_of_ones_own_is_asked_for_each_mask():
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Halved(ARM):
        def fuse(self, head, features, mask, memory, parameters):
            return head(features, 0.5 * mask)

    features = {name: jnp.ones((2, 1)) for name in "ab"}
    head = lambda features, mask: jnp.atleast_2d(mask).sum(1) * jnp.ones(2)
    masks = shapley.coalitions(2)
    found = Halved().fuse_masks(head, features, masks, None, (), ())
    np.testing.assert_array_equal(found, [[0, 0], [0.5] * 2, [0.5] * 2, [1, 1]])


def test_running_fusion_follows_the_contributions():
    method = methods.create("arm", {"fusion": "running"})
    memory = method.init(helpers.context(), jax.random.key(0))
    for _ in range(500):
        phi = jnp.log(2.0) * jnp.array([1.5, 0.5])
        memory = method.remember(helpers.step(memory=memory, carry=phi))
    np.testing.assert_allclose(memory, [1.5, 0.5], rtol=0.01)


@pytest.mark.parametrize("name", ["arm", "arm_guided"])
def test_running_contributions_stay_where_no_example_is_complete(name):
    method = methods.create(name, {"fusion": "running"})
    memory = method.init(helpers.context(), jax.random.key(0))
    memory = jax.tree.map(lambda x: x + jnp.array([1.5, 0.5]), memory)
    forward = helpers.bare_forward(
        {"a": [[2.0, 0.0]] * 4, "b": [[0.0, 0.0]] * 4}, memory=memory
    )
    batch = helpers.bare_batch([0, 0, 0, 1])
    for mask, moves in (
        ([[1, 0], [0, 1], [1, 0], [0, 1]], False),
        ([[1, 0], [0, 1], [1, 1], [0, 1]], True),
    ):
        batch["mask"] = np.array(mask, np.float32)
        _, metrics, carry = method.loss(forward, batch)
        step = helpers.step(memory=memory, carry=carry)
        found = method.running(method.remember(step))
        assert (metrics["contribution_gap"] > 0) == moves
        moved = np.abs(found - method.running(memory)) > 1e-3
        assert moved.any() == moves


def test_contributions_do_not_learn_through_the_weights():
    method = methods.create("arm", {"fusion": "sample", "temperature": 0.1})
    model = helpers.tiny_model()
    params, _ = model.init(jax.random.key(0))
    features = helpers.encode(model, params, helpers.tiny_batch()["inputs"])
    head = lambda f, mask: model.head(params, f, mask, helpers.NO_STATE)
    everything = jnp.ones(2)

    def fused(scale):
        # The weights are those of `features`, whatever `scale` is.
        scaled = {name: x * scale for name, x in features.items()}
        return method.fuse(head, scaled, everything, (), ()).sum()

    plain = subset_log_probs(head, features)
    expected = expected_conditional_contributions(plain).T / jnp.log(2.0)
    weights = fusion_weights(expected, jnp.ones_like(expected), 0.1)

    def fixed(scale):
        scaled = {
            name: x * scale * weights[:, m, None]
            for m, (name, x) in enumerate(features.items())
        }
        return head(scaled, everything).sum()

    np.testing.assert_allclose(
        jax.grad(fused)(1.0), jax.grad(fixed)(1.0), rtol=1e-4
    )


def test_replay_is_drawn_by_the_gap_and_keeps_the_weakest(rng):
    # Gaps of 0, 1 and 3 bits; the weakest is the second, then the first.
    phi = np.array([[1.0, 1.0], [1.0, 0.0], [0.0, 3.0]])
    drawn = np.zeros(3)
    for _ in range(4000):
        copies = replay_weakest(phi, 1, rng)
        drawn[copies.row] += 1
        assert copies.mask.tolist() == [{1: [0, 1], 2: [1, 0]}[copies.row[0]]]
    np.testing.assert_allclose(drawn / 4000, [0, 0.25, 0.75], atol=0.03)


def test_replay_draws_without_replacement(rng):
    phi = rng.normal(size=(50, 3))
    copies = replay_weakest(phi, 50, rng)
    assert sorted(copies.row.tolist()) == list(range(50))
    np.testing.assert_array_equal(
        copies.mask.argmax(1), phi[copies.row].argmin(1)
    )


def test_survey_gives_the_right_number_of_copies(rng):
    method = methods.create("arm", {"replay": 0.3})
    log_p = np.log(rng.dirichlet(np.ones(3), size=(40, 5))).astype(np.float32)
    survey = methods.Survey(
        features={"a": None, "b": None},
        log_probs=modalities_first(
            Subsets(log_p[:, 0], log_p[:, 1:3], log_p[:, 3:])
        ),
        label=rng.integers(3, size=40),
        log_prior=np.log(np.full(3, 1 / 3)),
    )
    copies = method.begin_epoch(helpers.EpochByHand({"train": survey}))
    assert copies.row.shape == (12,)
    assert copies.mask.shape == (12, 2)
    phi = log_p[:, 0][np.arange(40), survey.label][
        :, None
    ] - np.take_along_axis(
        log_p[:, 3:], survey.label[:, None, None], axis=2
    ).squeeze(2)
    np.testing.assert_array_equal(
        copies.mask.argmax(1), phi[copies.row].argmin(1)
    )


def test_what_is_missing_is_not_replayed(rng):
    # Of nothing it contributes nothing, which would be the least.
    phi = np.array([[0.0, 2, 1], [0, 3, 3], [3, 0, 1]])
    present = np.array([[0, 1, 1], [0, 1, 1], [1, 1, 1]])
    copies = replay_weakest(phi, 2, rng, present)
    order = np.argsort(copies.row)
    np.testing.assert_array_equal(copies.row[order], [0, 2])
    np.testing.assert_array_equal(copies.mask[order], [[0, 0, 1], [0, 1, 0]])
