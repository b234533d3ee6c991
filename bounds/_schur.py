"""Newton's matrix of the interior point, factored by a Schur complement.

It couples the symbols of x1 only through those of x2, so the blocks of x1 are
eliminated and a complement with |x2| |y| rows is left. One of many small
tables is factored by loops over lanes, a large one by LAPACK (or cuSOLVER).
"""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp

from bounds import _lanes
from bounds._certificate import Problem

_Solve = Callable[[jax.Array, jax.Array], tuple[jax.Array, jax.Array]]


def factor(
    problem: Problem,
    pi: jax.Array,
    r: jax.Array,
    kappa: jax.Array,
    ridge: jax.Array,
    extra1: jax.Array,
    extra2: jax.Array,
) -> _Solve:
    """Factors Newton's matrix sum r diag(pi) + kappa pi pi^T over all pairs.

    In blocks [[A, B], [B^T, C]]: A is block diagonal over x1 and C over x2,
    each block `[y, y]`. Returns a function that solves for (d_lam, d_mu).
    """
    n1, n2, ny = pi.shape[:3]
    rows, lanes = n2 * ny, pi.shape[3:]
    pi2 = jnp.where(problem.free2, pi, 0)
    flow1 = _lanes.label_first(r[:, :, None] * pi)  # [y, x1, x2]
    flow2 = _lanes.label_first(r[:, :, None] * pi2)
    stiff1 = _lanes.label_first(kappa[:, :, None] * pi)
    stiff2 = _lanes.label_first(kappa[:, :, None] * pi2)
    y_pi, y_pi2 = _lanes.label_first(pi), _lanes.label_first(pi2)

    diagonal = _lanes.spread(jnp.eye(ny, dtype=pi.dtype)[:, :, None], lanes)

    def diagonal_blocks(
        a: jax.Array, d: jax.Array, support: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """Adds d to the diagonals of `a`, 1 where an entry is not free."""
        total = jnp.stack([a[y, y] for y in range(ny)]) + d
        total = jnp.where(support, total, 1)
        d = jnp.where(support, d, 1) + _lanes.beside(ridge, total) * total
        return a + diagonal * d[None], total

    a, scale1 = diagonal_blocks(
        _lanes.total(stiff1[:, None] * y_pi[None], 3),
        _lanes.total(flow1, 2) + jnp.moveaxis(extra1, 1, 0),
        jnp.moveaxis(problem.support1, 1, 0),
    )
    c, scale2 = diagonal_blocks(
        _lanes.total(stiff2[:, None] * y_pi2[None], 2),
        _lanes.total(flow2, 1) + jnp.moveaxis(extra2, 1, 0),
        jnp.moveaxis(problem.free2, 1, 0),
    )
    # B as [y, x1, (x2, y')] and C as [(x2, y), (x2', y')].
    same_label = _lanes.spread(
        jnp.eye(ny, dtype=pi.dtype)[:, None, None], lanes
    )
    b = stiff1[:, :, :, None] * pi2[None] + flow2[:, :, :, None] * same_label
    b = b.reshape((ny, n1, rows) + lanes)
    same_symbol = _lanes.spread(
        jnp.eye(n2, dtype=pi.dtype)[:, None, :, None], lanes
    )
    c = jnp.moveaxis(c, 2, 0)[:, :, None] * same_symbol
    c = c.reshape((rows, rows) + lanes)
    if not lanes:
        return _factor_one(a, b, c)
    scale2 = jnp.moveaxis(scale2, 1, 0).reshape((rows,) + lanes)
    floor1, floor2 = (_lanes.beside(ridge, x) * x for x in (scale1, scale2))
    return _factor_lanes(a, b, c, floor1, floor2)


def _factor_one(a: jax.Array, b: jax.Array, c: jax.Array) -> _Solve:
    """`_factor` of one table by LAPACK's Cholesky."""

    def lower_solve(
        low: jax.Array, x: jax.Array, *, transpose: bool = False
    ) -> jax.Array:
        return jax.lax.linalg.triangular_solve(
            low, x, left_side=True, lower=True, transpose_a=transpose
        )

    einsum = partial(jnp.einsum, precision=jax.lax.Precision.HIGHEST)
    l1 = jax.lax.linalg.cholesky(jnp.moveaxis(a, 2, 0))
    w = lower_solve(l1, jnp.moveaxis(b, 0, 1))  # [x1, y, (x2, y')]
    l2 = jax.lax.linalg.cholesky(c - einsum("akm,akn->mn", w, w))

    def solve(g1: jax.Array, g2: jax.Array) -> tuple[jax.Array, jax.Array]:
        h = lower_solve(l1, g1[..., None])[..., 0]
        g = g2.reshape(-1) - einsum("akm,ak->m", w, h)
        g = lower_solve(l2, g[:, None])
        d2 = lower_solve(l2, g, transpose=True)[:, 0]
        h = h - einsum("akm,m->ak", w, d2)
        d1 = lower_solve(l1, h[..., None], transpose=True)[..., 0]
        return d1, d2.reshape(g2.shape)

    return solve


def _factor_lanes(
    a: jax.Array,
    b: jax.Array,
    c: jax.Array,
    floor1: jax.Array,
    floor2: jax.Array,
) -> _Solve:
    """`_factor` of many tables by L D L^T, all lanes at once.

    The columns go through a loop, not a Python one, for the sake of accuracy:
    XLA fuses straight-line code by computing a value once per use, with
    multiplications and additions contracted differently in each, and the
    factors of a nearly singular matrix must agree to the last bit.
    """

    def forward(low: jax.Array, g: jax.Array) -> jax.Array:
        return jax.lax.fori_loop(
            0,
            len(low),
            lambda k, g: g - _lanes.row(low, k) * _lanes.row(g, k)[None],
            g,
        )

    def backward(low: jax.Array, g: jax.Array) -> jax.Array:
        def row(i: jax.Array, g: jax.Array) -> jax.Array:
            k = len(low) - 1 - i
            known = _lanes.total(_lanes.row(low, k) * g, 0)
            return _lanes.set_row(g, _lanes.row(g, k) - known, k)

        return jax.lax.fori_loop(0, len(low), row, g)

    low1, inverse1 = _ldl(a, floor1)
    z = forward(low1[:, :, :, None], b)
    schur = c
    for y in range(z.shape[0]):
        scaled = z[y] * inverse1[y][:, None]
        for x1 in range(z.shape[1]):
            schur = schur - z[y, x1][:, None] * scaled[x1][None]
    low2, inverse2 = _ldl(schur, floor2)

    def solve(g1: jax.Array, g2: jax.Array) -> tuple[jax.Array, jax.Array]:
        h = forward(low1, jnp.moveaxis(g1, 1, 0))  # [y, x1]
        g = g2.reshape(floor2.shape)
        g = g - _lanes.total(_lanes.total(z * (h * inverse1)[:, :, None], 0), 0)
        d2 = backward(low2, forward(low2, g) * inverse2)
        h = h - _lanes.total(z * d2[None, None], 2)
        d1 = backward(low1, h * inverse1)
        return jnp.moveaxis(d1, 0, 1), d2.reshape(g2.shape)

    return solve


def _ldl(a: jax.Array, floor: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Factors symmetric `a[n, n, ...]` = L D L^T; pivots are at least `floor`.

    Returns:
      Row k holds column k of L below its diagonal; and 1 / D.
    """

    def column(k: jax.Array, carry: tuple) -> tuple:
        a, inverse = carry
        row = _lanes.row(a, k)
        one_over = 1 / jnp.maximum(_lanes.row(row, k), _lanes.row(floor, k))
        below = jnp.where(_lanes.iota(row) > k, row * one_over[None], 0)
        a = _lanes.set_row(a - below[:, None] * row[None], below, k)
        return a, _lanes.set_row(inverse, one_over, k)

    n = len(a)
    done = n // 2 if n > 6 else n
    a, inverse = jax.lax.fori_loop(0, done, column, (a, jnp.zeros_like(floor)))
    if done == n:
        return a, inverse
    # The other columns change the lower right block only.
    block, rest = _ldl(a[done:, done:], floor[done:])
    corner = jnp.concatenate([jnp.zeros_like(a[done:, :done]), block], 1)
    low = jnp.concatenate([a[:done], corner])
    return low, jnp.concatenate([inverse[:done], rest])
