"""Newton systems of duals over tables b[x1, y], c[x2, y].

Maximum entropy and the linear programs of this package share one structure:
inside each cell (x1, x2) a distribution over y responds to the sum
b[x1, y] + c[x2, y], and its response matrix W[x1, x2] is the curvature of the
dual there. The Hessian has the blocks sum_x2 W, sum_x1 W and W itself.

Adding a constant over y to a row of b or c, or a function of y to all of b
and subtracting it from c, changes nothing; the last y and the last row of c
are pinned at zero to remove it.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

_POLISHING_STEPS = 2
# Up to this size a loop over the columns, vectorised across a batch, beats
# LAPACK, which is called once a matrix.
_SMALL = 12


class Factor(NamedTuple):
    """A Cholesky factor of the scaled Hessian; its inverse if it is small."""

    root: jax.Array
    scale: jax.Array
    shape: tuple[int, int, int]


def factor(response: jax.Array, ridge: jax.Array | float) -> Factor:
    """Factorises the Hessian of `response` `[n1, n2, ny, ny]`.

    The diagonal is scaled to one and `ridge` is added, so that rows without
    mass and directions without curvature stay put.
    """
    n1, n2, ny, _ = response.shape
    w = response[..., :-1, :-1]
    m = ny - 1
    rows = _block_diagonal(w.sum(1))
    columns = _block_diagonal(w.sum(0))
    cross = w.transpose(0, 2, 1, 3).reshape(n1 * m, n2 * m)
    hessian = jnp.block([[rows, cross], [cross.T, columns]])
    size = (n1 + n2 - 1) * m
    hessian = hessian[:size, :size]
    eye = jnp.eye(size, dtype=w.dtype)
    hessian = hessian + jnp.finfo(w.dtype).eps * eye
    scale = jax.lax.rsqrt(jnp.sum(hessian * eye, 1))
    hessian = hessian * scale[:, None] * scale[None] + ridge * eye
    if size <= _SMALL:
        root = _inverse_cholesky(hessian)
    else:
        root = jnp.linalg.cholesky(hessian)
    return Factor(root, scale, (n1, n2, ny))


def solve(
    f: Factor, rows: jax.Array, columns: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Solves the system for right sides `[n1, ny]` and `[n2, ny]`."""
    n1, n2, ny = f.shape
    m = ny - 1
    right = jnp.concatenate([rows[:, :-1].ravel(), columns[:-1, :-1].ravel()])
    right = right * f.scale
    if right.size <= _SMALL:
        d = jnp.sum(f.root * jnp.sum(f.root * right[None], 1)[:, None], 0)
    else:
        d = jax.scipy.linalg.cho_solve((f.root, True), right)
    d = d * f.scale
    pad = lambda v, n, extra: jnp.pad(v.reshape(n, m), ((0, extra), (0, 1)))
    return pad(d[: n1 * m], n1, 0), pad(d[n1 * m :], n2 - 1, 1)


def response(r: jax.Array, posterior: jax.Array) -> jax.Array:
    """Response of r = p12 softmax(b + c), `[n1, n2, ny]`, to b + c."""
    eye = jnp.eye(r.shape[-1], dtype=r.dtype)
    return r[..., None] * (eye[None, None] - posterior[..., None, :])


def moved(
    r: jax.Array,
    posterior: jax.Array,
    db: jax.Array,
    dc: jax.Array,
    p1y: jax.Array,
    p2y: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    """The joint r after a Newton step, to first order, and its misfit.

    The linearised step fits the marginals exactly; a cell that it would make
    negative is set to zero, which then shows in the misfit.
    """
    d = db[:, None] + dc[None]
    r = r * (1 + d - jnp.sum(posterior * d, -1, keepdims=True))
    negative = jnp.sum(jnp.minimum(r, 0))
    r = jnp.maximum(r, 0)
    misfit = (
        jnp.sum(jnp.abs(p1y - r.sum(1)))
        + jnp.sum(jnp.abs(p2y - r.sum(0)))
        - negative
    )
    return r, misfit


def polished(
    r: jax.Array, p12: jax.Array, p1y: jax.Array, p2y: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Moves a nearly fitting joint onto its marginals; also the misfit left.

    Changes are relative to the cells, so that small cells stay small.
    """

    def step(
        _: int, state: tuple[jax.Array, jax.Array]
    ) -> tuple[jax.Array, jax.Array]:
        r = jnp.maximum(state[0], 0)
        mass = r.sum(-1, keepdims=True)
        posterior = r / jnp.where(mass > 0, mass, 1)
        r = p12[..., None] * posterior
        newton = factor(response(r, posterior), ridge=1e-14)
        db, dc = solve(newton, p1y - r.sum(1), p2y - r.sum(0))
        return moved(r, posterior, db, dc, p1y, p2y)

    start = (r, jnp.zeros((), r.dtype))
    r, misfit = jax.lax.fori_loop(0, _POLISHING_STEPS, step, start)
    return r, misfit + jnp.sum(jnp.abs(p12 - r.sum(2)))


def _block_diagonal(blocks: jax.Array) -> jax.Array:
    n, m, _ = blocks.shape
    eye = jnp.eye(n, dtype=blocks.dtype)
    full = blocks[:, :, None, :] * eye[:, None, :, None]
    return full.reshape(n * m, n * m)


def _inverse_cholesky(a: jax.Array) -> jax.Array:
    """M, lower triangular, with M.T M the inverse of `a`."""
    n = a.shape[0]
    if not n:  # every variable but at most one has a single symbol
        return a
    index = jnp.arange(n)

    def eliminate(
        j: jax.Array, state: tuple[jax.Array, jax.Array]
    ) -> tuple[jax.Array, jax.Array]:
        a, inverse = state
        pivot = jax.lax.rsqrt(a[j, j])
        column = jnp.where(index > j, a[:, j] * pivot, 0)[:, None]
        row = inverse[j] * pivot
        inverse = inverse - column * row[None]
        inverse = jnp.where(index[:, None] == j, row[None], inverse)
        return a - column * column.T, inverse

    start = (a, jnp.eye(n, dtype=a.dtype))
    return jax.lax.fori_loop(0, n, eliminate, start)[1]
