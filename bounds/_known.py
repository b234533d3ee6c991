"""What labels of single modalities and unlabelled pairs determine."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from bounds import _batch, _maxent, _rounding, marginals
from bounds.decomposition import PID, pid_from_marginals
from bounds.information import mutual_information_nats

_LOG2 = np.log(2)
# Gap, in bits, of the decomposition and of the maximum entropy.
_TOL = 2e-10


class Known(NamedTuple):
    """Flat arrays, in bits.

    Attributes:
      triple: the marginals.
      maxent: their joint of largest entropy.
      pid: redundancy and unique informations.
      entropy: H(X1,X2) + H(Y), so that S = entropy - H(joint) - T_min.
      t_low: proven lower bound on T_min.
      t_high: proven upper bound on T_min.
      unique1: proven upper bound on the first unique information.
      unique2: proven upper bound on the second.
      margin: what rounding, and marginals that agree only to within it, may
        change in an entropy.
    """

    triple: marginals.Triple
    maxent: _maxent.MaxEnt
    pid: PID
    entropy: np.ndarray
    t_low: np.ndarray
    t_high: np.ndarray
    unique1: np.ndarray
    unique2: np.ndarray
    margin: np.ndarray


def known(p12: Any, p1y: Any, p2y: Any, *, project: bool = False) -> Known:
    """Checks the marginals and computes what they determine.

    Raises:
      InputError: see `marginals.consistent`.
    """
    triple, joint = marginals.solve(p12, p1y, p2y, project=project, tol=_TOL)
    pid = pid_from_marginals(triple.p1y, triple.p2y, tol=_TOL)
    entropy, both, margin = _batch.evaluate(_entropies, *triple.arrays)
    # Not R + U1 + U2, of which those are 0 that the solver has below 0.
    t_min = both - pid.redundancy
    error = pid.gap + margin
    return Known(
        triple, joint, pid, entropy, t_min - error, t_min + error,
        pid.unique1 + error, pid.unique2 + error, margin,
    )  # fmt: skip


def _entropies(
    p12: jax.Array, p1y: jax.Array, p2y: jax.Array
) -> tuple[jax.Array, ...]:
    """H(X1,X2) + H(Y), I(X1;Y) + I(X2;Y) and the margin, in bits."""
    entr = jax.scipy.special.entr
    entropy = jnp.sum(entr(p12)) + jnp.sum(entr(p1y.sum(0)))
    noise = _rounding.noise(p12, p1y, p2y)
    margin = _rounding.entropy_change(noise, p12.size * p1y.shape[1])
    both = mutual_information_nats(p1y) + mutual_information_nats(p2y)
    return entropy / _LOG2, both / _LOG2, margin / _LOG2
