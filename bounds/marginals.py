"""Pairwise marginals that should belong to one joint of x1, x2 and y."""

import copy
import dataclasses
import math
from collections.abc import Callable
from typing import Any, TypeVar, Unpack

import jax
import jax.numpy as jnp
import numpy as np

from bounds import _engine, _rounding
from bounds._consistency import Triple as Triple
from bounds._consistency import nearest_joint as nearest_joint
from bounds._consistency import solve
from bounds.decomposition import PID, pid_from_marginals
from bounds.errors import InputError
from bounds.information import mutual_information_nats
from bounds.options import Fields, Options, in_float64, merged

T = TypeVar("T")

_LOG2 = np.log(2)
# Gap, in bits, of the decomposition and of the maximum entropy.
_TOL = 2e-10


class Marginals:
    """p(x1, x2), p(x1, y), p(x2, y) of joints, and what they determine; bits.

    Checked once; what is asked for is computed once, and shared by all bounds
    that are given the object instead of three arrays. All fields are flat
    batches; `lead` are the leading axes that these stand for.

    Attributes:
      triple: The marginals.
      maxent: Their joint of largest entropy, the proof that there is one.
      options: Those of the bounds that are given the object, where a call has
        no others. What the bounds share is solved to 2e-10 bits whatever `tol`.
    """

    def __init__(
        self,
        p12: Any,
        p1y: Any,
        p2y: Any,
        *,
        project: bool = False,
        options: Options | None = None,
        **fields: Unpack[Fields],
    ) -> None:
        """Checks the marginals, see `consistent`."""
        self.options = in_float64(merged(options, fields))
        self.triple, self.maxent = solve(
            p12, p1y, p2y, project=project, options=_sharp(self.options)
        )
        self._results: dict[Callable[..., Any], Any] = {}

    def under(self, options: Options) -> "Marginals":
        """The same marginals and results, for a call with other options."""
        other = copy.copy(self)
        other.options = options
        return other

    def once(self, function: Callable[["Marginals"], T]) -> T:
        """Returns `function(self)`, computed the first time it is asked for."""
        if function not in self._results:
            self._results[function] = function(self)
        return self._results[function]

    @property
    def lead(self) -> tuple[int, ...]:
        """The leading axes."""
        return self.triple.lead

    @property
    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """p(x1, x2), p(x1, y) and p(x2, y)."""
        return self.triple.arrays

    @property
    def cells(self) -> int:
        """Cells x1 x2 y of a joint."""
        return math.prod(self.maxent.joint.shape[1:])

    @property
    def pid(self) -> PID:
        """Redundancy and unique informations."""
        return self.once(_decompose)

    @property
    def _entropies(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return self.once(_evaluate_entropies)

    @property
    def entropy(self) -> np.ndarray:
        """H(X1,X2) + H(Y), so that S = entropy - H(joint) - T_min."""
        return self._entropies[0]

    @property
    def margin(self) -> np.ndarray:
        """What may change in an entropy.

        By rounding, and because marginals agree only to within it.
        """
        return self._entropies[2]

    @property
    def error(self) -> np.ndarray:
        """Proven bound on the error of T_min and of the unique informations."""
        return self.pid.gap + self.margin

    @property
    def t_low(self) -> np.ndarray:
        """Proven lower bound on T_min."""
        # Not R + U1 + U2, of which those are 0 that the solver has below 0.
        return self._entropies[1] - self.pid.redundancy - self.error

    @property
    def t_high(self) -> np.ndarray:
        """Proven upper bound on T_min."""
        return self._entropies[1] - self.pid.redundancy + self.error

    @property
    def unique1(self) -> np.ndarray:
        """Proven upper bound on the first unique information."""
        return self.pid.unique1 + self.error

    @property
    def unique2(self) -> np.ndarray:
        """Proven upper bound on the second unique information."""
        return self.pid.unique2 + self.error


def _sharp(options: Options) -> Options:
    """Options of what all bounds rest on."""
    return dataclasses.replace(options, tol=_TOL)


def _decompose(m: Marginals) -> PID:
    return pid_from_marginals(
        m.triple.p1y, m.triple.p2y, options=_sharp(m.options)
    )


def _evaluate_entropies(
    m: Marginals,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return _engine.run(_entropies, *m.arrays, options=m.options)


def of(
    p12: Any,
    p1y: Any = None,
    p2y: Any = None,
    *,
    project: bool = False,
    options: Options | None = None,
    fields: Fields | None = None,
) -> Marginals:
    """Returns `Marginals` as they are, or makes them of three arrays.

    Args:
      p12: p(x1, x2), or `Marginals`.
      p1y: p(x1, y).
      p2y: p(x2, y).
      project: see `consistent`.
      options: of the call.
      fields: of the call, by keyword.

    Raises:
      InputError: An array that is missing, or one too many; see `consistent`.
    """
    given = p12.options if isinstance(p12, Marginals) else None
    options = in_float64(merged(options, fields or {}, given))
    if not isinstance(p12, Marginals):
        for name, value in (("p1y", p1y), ("p2y", p2y)):
            if value is None:
                raise InputError(
                    f"{name} is missing: give p12, p1y and p2y, or one "
                    "bounds.Marginals"
                )
        return Marginals(p12, p1y, p2y, project=project, options=options)
    if p1y is not None or p2y is not None or project:
        raise InputError(
            "Marginals are given alone: they hold all three arrays, projected "
            "or not"
        )
    return p12.under(options)


def consistent(
    p12: Any,
    p1y: Any,
    p2y: Any,
    *,
    project: bool = False,
    normalize: bool = False,
    options: Options | None = None,
    **fields: Unpack[Fields],
) -> Triple:
    """Checks that the marginals can belong to one joint, or makes them.

    Args:
      p12: p(x1, x2), `[..., x1, x2]`.
      p1y: p(x1, y), `[..., x1, y]`.
      p2y: p(x2, y), `[..., x2, y]`.
      project: replace marginals that have no common joint, such as estimates
        from different samples, by the nearest that have one: the least sum of
        absolute differences, a linear program a table, on the host.
      normalize: accept counts.
      options: see `bounds.Options`.
      **fields: its fields, for this call.

    Returns:
      The checked marginals, leading axes broadcast and flattened. Those that
      have no common joint by no more than 1e-6 are replaced as by `project`.

    Raises:
      InputError: an argument is no distribution; alphabets that differ; two
        marginals that disagree about a variable by more than 1e-6, or three
        that have no common joint although each two agree; the message has the
        table's index, the pair and the size of the disagreement.
    """
    options = in_float64(merged(options, fields))
    return solve(
        p12, p1y, p2y, project=project, normalize=normalize, options=options
    )[0]


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
