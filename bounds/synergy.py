"""An interval that contains the synergy, without a multimodal label."""

import reprlib
from typing import Any, NamedTuple, Unpack

import numpy as np

from bounds import _leading, marginals, synergy_upper
from bounds.errors import InputError
from bounds.options import Fields, Options
from bounds.synergy_lower import LOWER
from bounds.synergy_upper import UPPER

EFFORTS = ("bounds", "fast", "exact")


class SynergyInterval(NamedTuple):
    """What marginals say about synergy; bits, every field a batch.

    Attributes:
      lower: proven: no joint with these marginals has less synergy.
      upper: proven: no joint with these marginals has more.
      achieved: synergy of a joint that was found, so at most `upper -
        achieved` is left to gain; with effort="bounds" none was looked for.
      by_bound: every bound, `by_bound["lower"][name]` of `synergy_lower.LOWER`
        and `by_bound["upper"][name]` of `synergy_upper.UPPER`.
      redundancy: R of the partial information decomposition.
      unique1: U1.
      unique2: U2.
      gap: proven: `lower` is within it of the least synergy that the
        marginals allow, and R, U1, U2 of their exact values.
      distance: how far the marginals were moved, in total variation summed
        over the three: by `project`, or by less than 1e-6 where they have no
        joint. All else is of the moved ones.
    """

    lower: Any
    upper: Any
    achieved: Any
    by_bound: dict[str, dict[str, Any]]
    redundancy: Any
    unique1: Any
    unique2: Any
    gap: Any
    distance: Any

    @property
    def t_min(self) -> Any:
        """R + U1 + U2, so that I(X1,X2;Y) is from t_min + lower to + upper."""
        return self.redundancy + self.unique1 + self.unique2


def synergy_interval(
    p12: Any,
    p1y: Any = None,
    p2y: Any = None,
    *,
    effort: str = "fast",
    project: bool = False,
    max_nodes: int = 10_000,
    seconds: float = 1.0,
    options: Options | None = None,
    **fields: Unpack[Fields],
) -> SynergyInterval:
    """Bounds the synergy of every joint with these pairwise marginals.

    `p1y` and `p2y` come from labelled data of single modalities, `p12` from
    unlabelled pairs. `lower` is the best possible bound; `upper` is, with
    effort="exact", the best possible one as far as the budget reaches, and
    always for 2x2x2 tables. Both are proofs, by dual points, and rounded
    outward, so no convergence has to be trusted.

    Args:
      p12: p(x1, x2), `[..., x1, x2]`; or `Marginals` alone, which holds all
        three.
      p1y: p(x1, y), `[..., x1, y]`.
      p2y: p(x2, y), `[..., x2, y]`; leading axes broadcast.
      effort: "bounds": the proven bounds only; "fast": and a search for a joint
        that shows how much is left to gain; "exact": and branch and bound.
      project: move marginals that contradict each other to the nearest that
        do not, see `marginals.consistent`.
      max_nodes: with "exact", boxes of a table.
      seconds: with "exact", time of a table, on average.
      options: see `bounds.Options`; those of `Marginals` by default. `tol` is
        the gap between `upper` and `achieved` with "exact", 1e-5 by default.
      **fields: its fields, for this call.

    Returns:
      The interval, NumPy float64.

    Raises:
      InputError: unknown effort, or another option out of range; no
        distributions; or marginals that have no common joint, see
        `marginals.consistent`.
    """
    if not isinstance(effort, str) or effort not in EFFORTS:
        raise InputError(
            f"effort must be one of {EFFORTS}, got {reprlib.repr(effort)}"
        )
    budget = synergy_upper.check_budget(max_nodes, seconds)
    m = marginals.of(
        p12, p1y, p2y, project=project, options=options, fields=fields
    )
    upper = {name: bound(m) for name, bound in UPPER.items()}
    search = synergy_upper.search(m, descend=effort != "bounds")
    achieved = synergy_upper.achieved_of(m, search.entropy)
    if effort == "exact" or m.maxent.joint.shape[1:] == (2, 2, 2):
        best = synergy_upper.exact_of(m, search, **budget)
        upper["exact"], achieved = best.upper, best.achieved
    lower = {name: bound(m) for name, bound in LOWER.items()}
    out = SynergyInterval(
        # Synergy is a divergence to a set that contains the joint.
        lower=np.maximum(np.max(list(lower.values()), axis=0), 0),
        upper=np.min(list(upper.values()), axis=0),
        achieved=achieved,
        by_bound={"lower": lower, "upper": upper},
        redundancy=m.pid.redundancy,
        unique1=m.pid.unique1,
        unique2=m.pid.unique2,
        gap=m.maxent.gap + (m.t_high - m.t_low) + 2 * m.margin,
        distance=m.triple.distance,
    )
    return _leading.restore(out, m.lead)
