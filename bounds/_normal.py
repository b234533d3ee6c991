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
import numpy as np


class Factor(NamedTuple):
    """A scaled Cholesky factor of the Hessian."""

    lower: jax.Array
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
    scale = jax.lax.rsqrt(jnp.diagonal(hessian))
    hessian = hessian * scale[:, None] * scale + ridge * eye
    return Factor(_cholesky(hessian), scale, (n1, n2, ny))


def solve(
    f: Factor, rows: jax.Array, columns: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Solves the system for right sides `[n1, ny]` and `[n2, ny]`."""
    n1, n2, ny = f.shape
    m = ny - 1
    right = jnp.concatenate([rows[:, :-1].ravel(), columns[:-1, :-1].ravel()])
    d = _cholesky_solve(f.lower, right * f.scale) * f.scale
    pad = lambda v, n, extra: jnp.pad(v.reshape(n, m), ((0, extra), (0, 1)))
    return pad(d[: n1 * m], n1, 0), pad(d[n1 * m :], n2 - 1, 1)


def _block_diagonal(blocks: jax.Array) -> jax.Array:
    n, m, _ = blocks.shape
    eye = jnp.eye(n, dtype=blocks.dtype)
    full = blocks[:, :, None, :] * eye[:, None, :, None]
    return full.reshape(n * m, n * m)


# Up to this size the loops below are unrolled, which XLA vectorises over a
# batch; LAPACK, called once a matrix, is several times slower there.
_UNROLLED = 12


def _cholesky(a: jax.Array) -> jax.Array:
    n = a.shape[0]
    if n > _UNROLLED:
        return jnp.linalg.cholesky(a)
    columns: list[jax.Array] = []
    rest = a
    for j in range(n):
        column = rest[:, j] * jax.lax.rsqrt(rest[j, j])
        column = jnp.where(jnp.arange(n) >= j, column, 0)
        columns.append(column)
        rest = rest - column[:, None] * column
    return jnp.stack(columns, 1) if columns else a


def _cholesky_solve(lower: jax.Array, b: jax.Array) -> jax.Array:
    n = b.size
    if n > _UNROLLED:
        return jax.scipy.linalg.cho_solve((lower, True), b)
    x: list[jax.Array] = []
    for i in range(n):
        done = sum((lower[i, j] * x[j] for j in range(i)), np.float32(0))
        x.append((b[i] - done) / lower[i, i])
    for i in reversed(range(n)):
        done = sum((lower[j, i] * x[j] for j in range(i + 1, n)), np.float32(0))
        x[i] = (x[i] - done) / lower[i, i]
    return jnp.stack(x) if x else b
