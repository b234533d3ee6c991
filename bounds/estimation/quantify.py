"""From samples to interactions with error bars, at three levels of knowledge.

    quantify(Labelled(...))     labelled pairs: everything
    quantify(Unimodal(...))     labels of single modalities and unlabelled
                                pairs: everything but synergy, which gets an
                                interval
    quantify(Predictions(...))  two classifiers' outputs on unlabelled pairs:
                                the same, and x may be continuous

Symbols come from `discretize`, counts from `samples`. Numbers that the samples
cannot carry are not given, see `evidence.SAMPLES_PER_CELL`: that is known from
the counts, before anything is drawn or solved for them.
"""

import numpy as np

from bounds import inputs
from bounds.errors import InputError
from bounds.estimation._labelled import of_labelled
from bounds.estimation._predictions import of_predictions
from bounds.estimation._resampling import Options, Share
from bounds.estimation._unimodal import of_unimodal
from bounds.estimation.evidence import Labelled, Predictions, Unimodal
from bounds.estimation.interactions import Interactions
from bounds.synergy import EFFORTS


def quantify(
    evidence: Labelled | Unimodal | Predictions,
    *,
    replicates: int = 1000,
    permutations: int = 200,
    interval_replicates: int = 100,
    level: float = 0.95,
    effort: str = "bounds",
    seed: int = 0,
    memory_limit: int = 2**30,
    progress: bool = False,
    share: Share | None = None,
) -> Interactions:
    """Estimates interactions, each with an error bar and a null.

    Values are corrected for bias by the jackknife; intervals are the
    bootstrap's around them. Quantities that there are too few samples for, by
    `verdicts`, are neither resampled nor solved: their estimates are NaN but
    for `needed` and `plug_in`. The plug-in values of redundancy, unique
    informations and synergy are NaN too where nothing else needs the solver,
    unless the table has at most 512 possible cells; those of the synergy's
    bounds always.

    Args:
      evidence: What is known.
      replicates: Number of bootstrap replicates.
      permutations: Number of permutations of the labels, for the null. Labels
        of units whose samples all have one label are permuted by unit. Not for
        `Predictions`, where there are no labels.
      interval_replicates: Number of replicates and permutations of the synergy
        interval, which costs more.
      level: Level of confidence, 0.95 for 95 %.
      effort: Effort of `synergy_interval`: "bounds", "fast" or "exact".
      seed: Random seed.
      memory_limit: Bytes that the resamples under way may take together. The
        numbers do not depend on it, unless the permutations of `Labelled`, or
        all resamples of `Unimodal`, do not fit at once: then they are drawn in
        another order.
      progress: Whether to show a progress bar.
      share: `share(evaluate, count)` returns `evaluate(number)`, arrays by
        name, of all numbers below `count`, in their order, from wherever it has
        them: parts of the resamples may be those of other processes, or of an
        earlier call. None evaluates larger parts, here.

    Returns:
      The interactions.

    Raises:
      InputError: Evidence or options of a wrong type or size; alphabets that
        do not agree; a modality or label with one symbol; a label that a set
        of samples lacks; a class with one sample; probabilities that are none.
    """
    inputs.choice("effort", effort, EFFORTS)
    options = Options(
        inputs.integer("replicates", replicates, 2),
        inputs.integer("permutations", permutations),
        inputs.integer("interval_replicates", interval_replicates, 2),
        inputs.real("level", level, above=0, below=1),
        effort,
        np.random.default_rng(inputs.seed("seed", seed)),
        inputs.integer("memory_limit", memory_limit, 1),
        progress,
        share,
    )
    if isinstance(evidence, Labelled):
        return of_labelled(evidence.table, options)
    if isinstance(evidence, Unimodal):
        return of_unimodal(evidence, options)
    if isinstance(evidence, Predictions):
        return of_predictions(evidence, options, seed)
    raise InputError(
        "evidence must be Labelled, Unimodal or Predictions, got "
        f"{type(evidence).__name__}"
    )
