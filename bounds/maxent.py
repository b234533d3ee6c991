"""The maximum-entropy joint with given pairwise marginals, certified."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from bounds import _normal

_CAP = 8.0
_STEPS = (1.0, 0.5, 0.25, 0.0625)

class MaxEnt(NamedTuple):
    joint: Any
    upper: Any
    lower: Any
    b: Any
    c: Any
    steps: Any

def core(p12, p1y, p2y, tol, max_steps):
    dtype = p12.dtype
    allowed = (p1y > 0)[:, None, :] & (p2y > 0)[None, :, :]
    log = lambda p: jnp.log(jnp.where(p > 0, p, 1))
    p1, p2, py = p1y.sum(1), p2y.sum(1), p1y.sum(0)
    b0 = log(p1y) - log(p1)[:, None] - log(py) / 2
    c0 = log(p2y) - log(p2)[:, None] - log(py) / 2

    def posterior(b, c):
        z = jnp.where(allowed, b[:, None] + c[None], -jnp.inf)
        top = jnp.max(z, -1, keepdims=True)
        top = jnp.where(jnp.isfinite(top), top, 0)
        e = jnp.exp(z - top)
        total = e.sum(-1, keepdims=True)
        lse = jnp.where(total > 0, jnp.log(jnp.where(total > 0, total, 1)) + top, -jnp.inf)[..., 0]
        return e / jnp.where(total > 0, total, 1), lse

    def dual(b, c):
        _, lse = posterior(b, c)
        return (jnp.sum(jnp.where(p12 > 0, p12 * lse, 0)) - jnp.sum(b * p1y) - jnp.sum(c * p2y))

    def body(state):
        k, b, c, best_b, best_c, best, joint, lower, ridge = state
        pi, _ = posterior(b, c)
        r = p12[..., None] * pi
        gb, gc = p1y - r.sum(1), p2y - r.sum(0)
        w = p12[..., None, None] * (pi[..., None] * jnp.eye(pi.shape[-1], dtype=dtype) - pi[..., None] * pi[..., None, :])
        f = _normal.factor(w, ridge)
        db, dc = _normal.solve(f, gb, gc)
        d = db[:, None] + dc[None]
        rp = r * (1 + d - jnp.sum(pi * d, -1, keepdims=True))
        ok = jnp.all(rp >= -1e-14) & (jnp.max(jnp.abs(rp.sum(1)-p1y))<1e-13)& (jnp.max(jnp.abs(rp.sum(0)-p2y))<1e-13)
        h = jnp.sum(jax.scipy.special.entr(jnp.maximum(rp, 0))) - jnp.sum(jax.scipy.special.entr(p12))
        h = jnp.where(ok, h, -jnp.inf)
        joint = jnp.where(h > lower, jnp.maximum(rp, 0), joint)
        lower = jnp.maximum(lower, h)
        size = jnp.maximum(jnp.max(jnp.abs(db)), jnp.max(jnp.abs(dc)))
        t0 = jnp.minimum(1, _CAP / jnp.maximum(size, 1e-30))
        ts = t0 * jnp.asarray(_STEPS, dtype)
        values = jax.vmap(lambda t: dual(b + t * db, c + t * dc))(ts)
        values = jnp.where(jnp.isfinite(values), values, jnp.inf)
        slack = 1e-14
        lowest = jnp.min(values)
        i = jnp.argmax(values <= jnp.maximum(lowest, jnp.minimum(best, lowest + slack)))
        t = ts[i]
        v = values[i]
        better = v <= best + slack
        b, c = jnp.where(better, b + t * db, b), jnp.where(better, c + t * dc, c)
        ridge = jnp.where(better, jnp.maximum(ridge*.1, 1e-15), ridge * 100)
        return (k + 1, b, c, jnp.where(better, b, best_b), jnp.where(better, c, best_c), jnp.minimum(v, best), joint, lower, ridge)

    def cond(state):
        return (state[5] - state[7] > tol) & (state[0] < max_steps)
    v0 = dual(b0, c0)
    k, b, c, bb, bc, best, joint, lower, _ = jax.lax.while_loop(cond, body, (0, b0, c0, b0, c0, v0, jnp.zeros_like(p12[..., None] * b0[:, None]), jnp.asarray(-jnp.inf, dtype), jnp.asarray(1e-14,dtype)))
    return MaxEnt(joint, best, lower, bb, bc, k)
