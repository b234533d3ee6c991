"""The maximum-entropy joint with given pairwise marginals, certified."""

from typing import Any, Unpack

from bounds import _consistency, _entry, _leading
from bounds._maxent import MaxEnt as MaxEnt
from bounds.options import (
    Fields,
    Options,
    in_float64,
    merged,
    positive_tol,
)


def maxent(
    p12: Any,
    p1y: Any,
    p2y: Any,
    *,
    project: bool = False,
    max_steps: int = 100,
    options: Options | None = None,
    **fields: Unpack[Fields],
) -> MaxEnt:
    """Maximises the entropy over the joints with these pairwise marginals.

    It is the joint about which the marginals say nothing more, and its
    synergy is the least that they allow. Zeros that no zero marginal forces
    (AND, OR, small counts) are found like any other value.

    Args:
      p12: p(x1, x2), `[..., x1, x2]`.
      p1y: p(x1, y), `[..., x1, y]`.
      p2y: p(x2, y), `[..., x2, y]`.
      project: move marginals that contradict each other to the nearest that
        do not, see `marginals.consistent`.
      max_steps: the most Newton steps.
      options: see `bounds.Options`; `tol` is 1e-9 by default.
      **fields: its fields, for this call.

    Returns:
      The joint and its certificate, NumPy float64.

    Raises:
      InputError: no distributions, alphabets that do not match, or marginals
        that have no common joint, see `marginals.consistent`; options out of
        range.
    """
    options = positive_tol(in_float64(merged(options, fields)))
    max_steps = _entry.check_count("max_steps", max_steps)
    triple, out = _consistency.solve(
        p12, p1y, p2y, project=project, options=options, max_steps=max_steps
    )
    return _leading.restore(out, triple.lead)
