"""Maximum entropy over the joints with given pairwise marginals: the core.

For any b[x1, y], c[x2, y], every joint r with the marginals has

  H(Y|X1,X2) <= sum_x p12 log sum_y exp(b + c) - <b, p1y> - <c, p2y>,

because log sum exp(z) is the maximum over distributions of entropy plus
<z, .>. Newton's method minimises the right side. Where the maximiser has zeros
that no zero marginal forces, b and c run to infinity; there each step still
takes the spurious mass down by a factor e, so about 20 steps suffice where
iterative proportional fitting needs 1/accuracy sweeps. The joint comes from
the last step's linearisation, which fits the marginals exactly, so the gap
between the two entropies is a proof whatever the iterations did.
"""

import math
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from bounds import _engine, _normal, _rounding
from bounds.options import Options
from bounds.status import Status

# Largest change of a dual variable in one step, and the fractions of the step
# that are tried.
_CAP = 8.0
_FRACTIONS = (1.0, 0.5, 0.25, 0.0625)
_RIDGE = 1e-14
# Gap, in bits, at which a table is done.
_TOL = 1e-9
# Cells of the tables evaluated at a time.
_CHUNK_CELLS = 2**17


class MaxEnt(NamedTuple):
    """The joint of largest entropy, and the proof of it; bits.

    Attributes:
      joint: `[..., x1, x2, y]`, with the given pairwise marginals.
      entropy: Entropy of `joint`; H(X1,X2) if no joint was found that fits,
        which the status then says.
      bound: no joint with these marginals has a larger entropy; rounding
        errors included. It is what `dual1` and `dual2` prove.
      gap: `bound - entropy`.
      dual1: b, `[..., x1, y]`, see `certificate`, in nats.
      dual2: c, `[..., x2, y]`.
      status: `Status` codes.
      steps: Newton steps.
    """

    joint: Any
    entropy: Any
    bound: Any
    gap: Any
    dual1: Any
    dual2: Any
    status: Any
    steps: Any


def solve(
    p12: np.ndarray,
    p1y: np.ndarray,
    p2y: np.ndarray,
    *,
    options: Options,
    max_steps: int = 100,
) -> MaxEnt:
    """Solves a flat batch on the host."""
    shape = (*p12.shape[1:], p1y.shape[2])
    return _engine.run(
        core,
        p12,
        p1y,
        p2y,
        options=options,
        most=_CHUNK_CELLS // math.prod(shape),
        tol=options.tolerance(_TOL) * math.log(2),
        max_steps=max_steps,
    )


def certificate(
    p12: jax.Array,
    p1y: jax.Array,
    p2y: jax.Array,
    b: jax.Array,
    c: jax.Array,
) -> jax.Array:
    """Upper bound on H(Y|X1,X2) in nats, rounding errors not counted.

    One table: p12 `[x1, x2]`, p1y and b `[x1, y]`, p2y and c `[x2, y]`.
    """
    _, log_sum = _posterior(p1y, p2y, b, c)
    inner = jnp.sum(jnp.where(p12 > 0, p12 * log_sum, 0))
    return inner - jnp.sum(b * p1y) - jnp.sum(c * p2y)


def core(
    p12: jax.Array,
    p1y: jax.Array,
    p2y: jax.Array,
    *,
    tol: float,
    max_steps: int,
) -> MaxEnt:
    """`maxent` of one table; `tol` in nats, results in bits."""
    dtype = p12.dtype
    eps = jnp.finfo(dtype).eps
    entr = jax.scipy.special.entr
    noise = _rounding.noise(p12, p1y, p2y)
    dual = partial(certificate, p12, p1y, p2y)

    class State(NamedTuple):
        steps: jax.Array
        b: jax.Array
        c: jax.Array
        value: jax.Array
        ridge: jax.Array
        joint: jax.Array
        conditional: jax.Array  # H(Y|X1,X2) of `joint`

    def step(s: State) -> State:
        posterior, _ = _posterior(p1y, p2y, s.b, s.c)
        r = p12[..., None] * posterior
        newton = _normal.factor(_normal.response(r, posterior), s.ridge)
        db, dc = _normal.solve(newton, p1y - r.sum(1), p2y - r.sum(0))
        joint, residual = _normal.moved(r, posterior, db, dc, p1y, p2y)
        conditional = jnp.sum(entr(joint)) - jnp.sum(entr(p12))
        better = (residual <= noise) & (conditional > s.conditional)
        largest = jnp.maximum(jnp.max(jnp.abs(db)), jnp.max(jnp.abs(dc)))
        scale = jnp.minimum(1, _CAP / jnp.maximum(largest, 1))
        fractions = scale * jnp.asarray(_FRACTIONS, dtype)
        values = jax.vmap(lambda t: dual(s.b + t * db, s.c + t * dc))(fractions)
        values = jnp.where(jnp.isfinite(values), values, jnp.inf)
        # Near the end the objective no longer tells the points apart: the
        # longest of the equally good steps.
        good = 32 * eps + jnp.minimum(jnp.min(values), s.value)
        chosen = jnp.argmax(values <= jnp.maximum(good, jnp.min(values)))
        t, value = fractions[chosen], values[chosen]
        accept = value <= s.value + 32 * eps
        return State(
            s.steps + 1,
            jnp.where(accept, s.b + t * db, s.b),
            jnp.where(accept, s.c + t * dc, s.c),
            jnp.where(accept, value, s.value),
            jnp.where(accept, jnp.maximum(s.ridge / 10, _RIDGE), 100 * s.ridge),
            jnp.where(better, joint, s.joint),
            jnp.where(better, conditional, s.conditional),
        )

    def unfinished(s: State) -> jax.Array:
        # A value below zero proves that no joint has these marginals.
        return (
            (s.value - s.conditional > tol)
            & (s.steps < max_steps)
            & (s.value > -1e3 * noise)
        )

    log = lambda p: jnp.log(jnp.where(p > 0, p, 1))
    # Exact where the modalities are independent given the label.
    half_label = log(p1y.sum(0))[None] / 2
    b = log(p1y) - log(p1y.sum(1))[:, None] - half_label
    c = log(p2y) - log(p2y.sum(1))[:, None] - half_label
    posterior, _ = _posterior(p1y, p2y, b, c)
    start = State(
        jnp.zeros((), jnp.int32),
        b,
        c,
        dual(b, c),
        jnp.asarray(_RIDGE, dtype),
        p12[..., None] * posterior,
        jnp.asarray(-jnp.inf, dtype),
    )
    end = jax.lax.while_loop(unfinished, step, start)
    size = jnp.max(jnp.where(p1y > 0, jnp.abs(end.b), 0)) + jnp.max(
        jnp.where(p2y > 0, jnp.abs(end.c), 0)
    )
    margin = noise * size + _rounding.entropy_change(noise, p12.size)
    h12 = jnp.sum(entr(p12))
    # Without a joint that fits, what the entropy of any is at least.
    entropy = h12 + jnp.maximum(end.conditional, 0)
    bound = h12 + end.value + margin
    status = jnp.where(
        jnp.isfinite(bound),
        jnp.where(
            end.value - end.conditional <= tol,
            Status.CONVERGED,
            Status.STEP_LIMIT,
        ),
        Status.NOT_FINITE,
    )
    status = jnp.where(
        end.value < -1e3 * noise - margin, Status.INVALID_INPUT, status
    )
    bits = 1 / math.log(2)
    return MaxEnt(
        end.joint,
        entropy * bits,
        bound * bits,
        (bound - entropy) * bits,
        end.b,
        end.c,
        status.astype(jnp.int32),
        end.steps,
    )


def _posterior(
    p1y: jax.Array, p2y: jax.Array, b: jax.Array, c: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """softmax_y(b + c) and log sum exp where no zero marginal forbids y."""
    allowed = (p1y > 0)[:, None] & (p2y > 0)[None]
    logits = jnp.where(allowed, b[:, None] + c[None], -jnp.inf)
    top = jnp.max(logits, -1)
    top = jnp.where(jnp.isfinite(top), top, 0)
    unnormalised = jnp.exp(logits - top[..., None])
    total = jnp.sum(unnormalised, -1)
    positive = jnp.where(total > 0, total, 1)
    log_sum = jnp.where(total > 0, jnp.log(positive) + top, -jnp.inf)
    return unnormalised / positive[..., None], log_sum
