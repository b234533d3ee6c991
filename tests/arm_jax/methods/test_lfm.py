import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial import distance

from arm_jax import methods, parallel
from arm_jax.errors import InputError
from arm_jax.methods.lfm import contrast, divergence, line
from tests.arm_jax import helpers

FEATURES = {"a": [[2.0, 0.0], [0.0, 1.0]], "b": [[1.0, 1.0], [0.0, 3.0]]}


@functools.partial(jax.jit, static_argnums=1)
def jitted(features, temperature):
    return contrast(forward(features), temperature)


def forward(features, share=0.5):
    return helpers.bare_forward(features, memory={"share": jnp.float32(share)})


def expected_contrast(features, temperature):
    units = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in features]
    each = []
    for m, u in enumerate(units):
        for n, v in enumerate(units):
            if m != n:
                p = np.exp(u @ v.T / temperature)
                each.append(-np.log(np.diag(p) / p.sum(1)).mean())
    return np.mean(each)


@pytest.mark.parametrize("modalities", [2, 3])
def test_contrast_against_a_loop(rng, modalities):
    x = rng.normal(size=(modalities, 6, 4))
    found = jitted(dict(zip("abc", x, strict=False)), 0.5)
    assert found == pytest.approx(expected_contrast(x, 0.5), rel=1e-5)


def test_contrast_by_hand():
    # Cosines of a to b: (r, 0) and (r, 1) with r = 1 / sqrt 2.
    r = np.sqrt(0.5)
    loss = lambda own, other: np.log1p(np.exp(other - own))
    each = [loss(r, 0), loss(1, r), loss(r, r), loss(1, 0)]
    assert jitted(FEATURES, 1.0) == pytest.approx(np.mean(each))
    assert jitted({"a": [[1.0, 0.0]]}, 1.0) == 0


def test_contrast_on_devices_is_that_of_the_whole_batch(rng):
    x = jnp.asarray(rng.normal(size=(2, 8, 3)), jnp.float32)

    def value(a, axis_name=None):
        seen = forward({"a": a[0], "b": a[1]})._replace(axis_name=axis_name)
        return contrast(seen, 0.5)

    whole, gradient = jax.jit(jax.value_and_grad(value))(x)
    split = jnp.moveaxis(x.reshape(2, 2, 4, 3), 1, 0)
    of_devices = jax.pmap(
        jax.value_and_grad(lambda a: value(a, parallel.AXIS)),
        axis_name=parallel.AXIS,
    )
    values, parts = of_devices(split)
    assert values.mean() == pytest.approx(float(whole), rel=1e-6)
    # Gradients are averaged over devices afterwards.
    found = jnp.moveaxis(parts, 0, 1).reshape(x.shape) / 2
    np.testing.assert_allclose(found, gradient, atol=1e-6)


def test_divergence_against_scipy(rng):
    p = rng.dirichlet(np.ones(4), size=(3, 5))
    pairs = ((0, 1), (0, 2), (1, 2))
    expected = np.mean(
        [distance.jensenshannon(p[m], p[n], axis=1) ** 2 for m, n in pairs]
    )
    log_p = jnp.log(jnp.asarray(p, jnp.float32))
    assert divergence(log_p) == pytest.approx(expected, rel=1e-4)
    assert divergence(log_p[:1]) == 0
    middle = (p[0] + p[1]) / 2
    reverse = [
        (middle * np.log(middle / p[m])).sum(-1).mean() / 2 for m in (0, 1)
    ]
    found = divergence(log_p[:2], reverse=True)
    assert found == pytest.approx(sum(reverse), rel=1e-4)


@pytest.mark.parametrize("matching", ["contrast", "divergence", "reversed"])
def test_share_of_the_matching(matching):
    batch = helpers.bare_batch([0, 1])
    options = {"matching": matching, "temperature": 0.5}
    method = methods.create("lfm", options)
    joint, _ = methods.create("joint", {}).loss(forward(FEATURES), batch)
    losses = jax.jit(
        lambda share: method.losses(forward(FEATURES, share), batch)
    )
    found = losses(0.25)
    if matching == "contrast":
        by_hand = jitted(FEATURES, 0.5)
    else:
        alone = forward(FEATURES).log_probs().alone
        by_hand = divergence(alone, reverse=matching == "reversed")
    assert found.metrics["matching"] == pytest.approx(float(by_hand), rel=1e-6)
    expected = 1.5 * joint + 0.5 * found.metrics["matching"]
    assert found.values["loss"] == pytest.approx(float(expected), rel=1e-6)
    none = losses(0.0).values["loss"]
    assert none == pytest.approx(2 * float(joint), rel=1e-6)
    learned = methods.create("lfm", options | {"schedule": "learned"})
    parts = learned.losses(forward(FEATURES, 0.25), batch).values
    assert parts["label"] == pytest.approx(1.5 * float(joint))
    assert sum(parts.values()) == pytest.approx(float(expected), rel=1e-6)


def test_line():
    shares = [line(0.795, epoch, 6) for epoch in range(6)]
    np.testing.assert_allclose(np.diff(shares), -0.745 / 5)
    assert shares[0] == 0.795
    assert shares[-1] == pytest.approx(0.05)
    assert line(0.8, 0, 1) == 0.8
    assert line(0.0, 3, 6) == 0


@pytest.mark.parametrize("schedule", ["line", "learned"])
def test_share_of_an_epoch(schedule):
    none = methods.Survey({"a": None}, None, np.array([1]), None)
    start = {"share": np.float32(0.5)}
    epoch = helpers.EpochByHand({"train": none}, number=4, memory=start)
    method = methods.create("lfm", {"share": 0.5, "schedule": schedule})
    method.begin_epoch(epoch)
    # A line from 0.5 in the first of ten epochs to 0.05 in the last.
    expected = 0.3 if schedule == "line" else 0.5
    assert epoch.variables.memory["share"] == pytest.approx(expected)


def test_learned_share_descends_the_loss_after_a_step(rng):
    # d/da of CE(theta - rate * grad L), on a quadratic, where it is exact to
    # the first order.
    share, fit, match = 0.3, *rng.normal(size=(2, 3)).astype(np.float32)
    method = methods.create("lfm", {"schedule": "learned", "rate": 0.1})
    step = methods.Step(
        {
            "label": {"x": 2 * (1 - share) * fit},
            "matching": {"x": 2 * share * match},
        },
        (),
        {"share": jnp.float32(share)},
        (),
        None,
    )
    found = method.remember(step)["share"]
    eps = 1e-3
    after = lambda a: fit @ (-eps * 2 * ((1 - a) * fit + a * match))
    slope = (after(share + 0.1) - after(share - 0.1)) / 0.2 / (2 * eps)
    expected = np.clip(share - 0.1 * slope, 0.05, 0.95)
    assert found == pytest.approx(expected, rel=1e-4)
    fixed = methods.create("lfm", {})
    assert fixed.remember(step) is step.memory


def test_features_of_several_widths():
    method = methods.create("lfm", {})
    context = methods.Context(("a", "b"), 3, {"a": 2, "b": 3})
    with pytest.raises(InputError, match="'lfm' needs features of one width"):
        method.init(context, jax.random.key(0))
    other = methods.create("lfm", {"matching": "divergence"})
    assert other.init(context, jax.random.key(0))["share"] > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"matching": "any"}, "matching must be one of contrast, divergence"),
        ({"share": 1.0}, r"share must be in \[0, 1\), got 1"),
        (
            {"share": 0.01, "schedule": "learned"},
            r"share must be in \[0\.05, 0\.95\], got 0\.01",
        ),
        ({"temperature": 0.0}, "temperature must be above 0, got 0"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(InputError, match=rf"method\.options\.{message}"):
        methods.create("lfm", options)
