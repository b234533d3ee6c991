"""From features, or anyone's classifiers, to a decomposition and advice."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from bounds import inputs
from bounds._wording import shown
from bounds.errors import InputError
from bounds.estimation import classifiers, decisions
from bounds.estimation._outputs import Halves, Outputs, decompose
from bounds.estimation.calibration import CALIBRATIONS, FOLDS, weights_of
from bounds.estimation.calibration import classes as check_classes
from bounds.estimation.frames import class_codes, of_frame
from bounds.estimation.interactions import Range
from bounds.estimation.posteriors import PosteriorPID
from bounds.estimation.refits import Refits
from bounds.estimation.refits import refits as fit_anew

ROLES = ("first", "second", "joint")


class FeaturePID(NamedTuple):
    """What classifiers of two modalities say of their interactions.

    Attributes:
      pid: the decomposition of their calibrated posteriors.
      recommendation: what follows from it.
      interaction: information in bits that a classifier with interactions has
        beyond an additive one, a 95 % interval; None with classifiers of your
        own.
      classifiers: the classifier that was taken of "first", "second" and
        "joint", with its calibration: the likeliest on held-out samples.
      refits: what fitting costs every quantity, and what is left without it;
        None without refits.
      learned: bits about the label that each of these classifiers keeps more
        than if it is fitted to half of the samples, 95 % intervals. What is
        well above 0 is not learned yet: with more samples informations would
        be larger, by once to twice as much on problems with known answers.
        Empty for fitted classifiers.
    """

    pid: PosteriorPID
    recommendation: decisions.Recommendation
    interaction: Range | None
    classifiers: dict[str, dict[str, str]]
    refits: Refits | None
    learned: dict[str, Range]


def pid_of_features(
    x1: Any,
    x2: Any,
    labels: Any,
    *,
    own: Mapping[str, Any] | None = None,
    fitted: bool = False,
    weights: Any = None,
    groups: Any = None,
    names: tuple[str, str] = ("first", "second"),
    margin: float = decisions.MARGIN,
    calibration: str = "auto",
    folds: int = FOLDS,
    strength: float = 0.1,
    components: int = 50,
    replicates: int = 200,
    refits: int = 0,
    seed: int = 0,
) -> FeaturePID:
    """Decomposes what two modalities' features say about a label.

    Classifiers of each modality and of both are fitted on some folds and asked
    on the others, their answers calibrated, and the likeliest decomposed by
    `bounds.pid_of_posteriors`.

    Args:
      x1: features of the first modality, `[n, ...]`.
      x2: features of the second modality, `[n, ...]`.
      labels: classes 0 to K-1, or names, `[n]`.
      own: classifiers of your own, by "first", "second" and, for the synergy,
        "joint": objects with `fit(x, labels)` and `predict_proba(x)`, such as
        those of scikit-learn; "joint" sees the features of both side by side.
        They are copied, not changed. By default logistic regressions,
        discriminant analyses and small networks of standardised principal
        components.
      fitted: whether your own classifiers were fitted already, on other
        samples; then they are only asked.
      weights: of the samples, `[n]`, such as the inverse of the probability
        that a pair is there; equal by default. Your own classifiers are fitted
        without them.
      groups: codes or names, `[n]`; samples of a group depend on each other,
        and stay in one fold.
      names: names of the modalities, in the recommendation.
      margin: bits below which a quantity does not matter.
      calibration: "temperature", "vector", "auto", the likelier, or "".
      folds: of the classifiers.
      strength: inverse regularisation of the logistic regressions.
      components: principal components that they see at most.
      replicates: of the bootstrap.
      refits: how often the classifiers are fitted anew, to labels drawn from
        their own answers, for what fitting costs: 0, or 2 and more; five tell
        most (`bounds.estimation.refits`).
      seed: of folds, networks, subsamples and bootstrap.

    Returns:
      The decomposition, and what follows from it.

    Raises:
      InputError: features, labels or groups of different lengths, with NaN, or
        too few; a class with fewer samples than folds, or that is not outside
        each, by groups or weights; fewer groups than folds; weights that are
        negative, or zero for all samples but of one class; a margin or strength
        that is not positive; a classifier that is a class, without a method it
        needs, or whose answers are no probabilities of these classes; refits of
        classifiers that were fitted; names that are not two.
    """
    decisions.check_names(names)
    inputs.choice("calibration", calibration, CALIBRATIONS)
    fitted = inputs.boolean("fitted", fitted)
    seed = inputs.seed("seed", seed)
    margin = inputs.real("margin", margin, above=0)
    replicates = inputs.integer("replicates", replicates, 2)
    folds = inputs.integer("folds", folds, 2)
    strength = inputs.real("strength", strength, above=0)
    components = inputs.integer("components", components, 1)
    x = [_features(name, v) for name, v in (("x1", x1), ("x2", x2))]
    y, class_names = class_codes(labels)
    for name, rows in (("x1", x[0]), ("x2", x[1])):
        if len(rows) != len(y):
            raise InputError(
                f"{name} has {len(rows)} samples, labels has {len(y)}"
            )
    y = check_classes("labels", y, len(y), int(y.max(initial=0)) + 1)
    w = None
    if weights is not None:
        w = weights_of("weights", weights, len(y)) * len(y)
    units = None if groups is None else inputs.codes("groups", groups)
    if units is not None and len(units) != len(y):
        raise InputError(f"groups has {len(units)} entries, labels {len(y)}")
    counts = np.bincount(y)
    if len(counts) < 2 or counts.min() < folds:
        least = int(counts.argmin())
        # Of few numbers that are far apart most classes have no sample.
        hole = (
            ""
            if counts[least]
            else "; classes are 0 to K-1 without holes, such as "
            "np.unique(labels, return_inverse=True)[1]"
        )
        raise InputError(
            f"class {class_names[least] if class_names else least} has "
            f"{counts[least]} samples; two classes with {folds} each are "
            f"needed (folds){hole}"
        )
    refits = inputs.integer("refits", refits)
    if refits == 1:
        raise InputError("refits must be 0, or 2 and more, got 1")
    if refits and fitted:
        raise InputError(
            f"refits must be 0 with fitted=True, got {refits}: classifiers "
            "that were fitted are not fitted anew"
        )
    sides = dict(zip(ROLES, (*x, np.concatenate(x, axis=1)), strict=True))
    fits = None
    if not fitted:
        classifiers.check_units(units, folds, what="groups")
        fits = classifiers.folds_of(y, units, folds, seed)
        classifiers.check_fits(fits, y, what="groups", every=True, weights=w)
    models = {} if own is None else _check_own(own, fitted)

    def fit(
        role: str, labels: np.ndarray, kinds: tuple[str, ...], on: Any = fits
    ) -> Outputs:
        if own is None:
            return _fitted(
                sides[role], on, labels, kinds, len(counts), w, strength,
                components, seed,
            )  # fmt: skip
        p = _asked(role, models[role], sides[role], labels, on, len(counts))
        return dict.fromkeys(kinds, p)

    def of_halves(one: np.ndarray, two: np.ndarray) -> Halves:
        crossed = [(one, two), (two, one)]
        return Halves(
            lambda role, kind: fit(role, y, (kind,), crossed)[kind],
            np.isin(rows, one),
        )

    rows, halves = np.arange(len(y)), []
    if not fitted:
        divisions = classifiers.halves_of(y, rows, units, w, seed)
        halves = [of_halves(*both) for both in divisions]
    if own is None:
        first, second, joint = (fit(r, y, classifiers.KINDS) for r in ROLES)
        additive: Outputs = {k: joint[k] for k in classifiers.ADDITIVE}
        interacting: Outputs = {k: joint[k] for k in classifiers.INTERACTING}
    else:
        answers = {role: fit(role, y, ("own",))["own"] for role in models}
        first, second = ({"own": answers[role]} for role in ROLES[:2])
        additive, interacting = {}, {}
        if "joint" in answers:
            additive = {"own": answers["joint"]}
    fold = classifiers.fold_numbers(fits or (), len(y))
    answer = decompose(
        first, second, additive, interacting, y, folds=fold, units=units,
        weights=w, halves=halves, calibration=calibration,
        replicates=replicates, seed=seed,
    )  # fmt: skip
    if answer.pid is None:
        raise InputError(answer.reason)
    again = None
    if refits:
        again = fit_anew(
            answer.pid, answer.posteriors, answer.classifiers,
            lambda role, kind, labels: fit(role, labels, (kind,))[kind],
            y,
            number=refits,
            fold=fold,
            weights=np.ones(len(y)) if w is None else w,
            units=np.arange(len(y)) if units is None else units,
            seed=seed,
        )  # fmt: skip
    return FeaturePID(
        answer.pid,
        decisions.recommend(
            answer.pid, names, margin=margin, interaction=answer.interaction
        ),
        answer.interaction,
        answer.classifiers,
        again,
        answer.learned,
    )


def pid_of_frame(
    frame: Any,
    columns: Mapping[str, Sequence[Any]],
    label: Any,
    *,
    groups: Any = None,
    weights: Any = None,
    **options: Any,
) -> FeaturePID:
    """Decomposes what two groups of a data frame's columns say about another.

    Args:
      frame: of pandas, or what has `columns` and gives one by `frame[name]`.
      columns: names of the columns of each of the two modalities, by its name.
      label: name of the column of the classes.
      groups: name of the column of the groups; none if None.
      weights: name of the column of the weights; none if None.
      **options: others of `pid_of_features`.

    Returns:
      As `pid_of_features`.

    Raises:
      InputError: No frame; a column that is not there; not two modalities; a
        modality without columns; as `pid_of_features`.
    """
    if not isinstance(columns, Mapping):
        raise InputError(
            "columns must map names of modalities to lists of columns, got "
            f"{shown(columns)}"
        )
    if len(columns) != 2:
        raise InputError(
            f"columns must name two modalities, got {len(columns)}"
        )
    x, others = of_frame(
        frame, columns, {"label": label, "groups": groups, "weights": weights}
    )
    options.setdefault("names", tuple(map(str, x)))
    x1, x2 = x.values()
    return pid_of_features(
        x1, x2, others["label"], groups=others.get("groups"),
        weights=others.get("weights"), **options,
    )  # fmt: skip


def _features(name: str, x: Any) -> np.ndarray:
    x = inputs.finite(name, x)
    if x.ndim < 1 or not x.size:
        raise InputError(
            f"{name} must have one row per sample, got shape {x.shape}"
        )
    return classifiers.flat(x).astype(np.float64)


def _fitted(
    x: np.ndarray,
    fits: Any,
    y: np.ndarray,
    kinds: tuple[str, ...],
    num_classes: int,
    weights: np.ndarray | None,
    strength: float,
    components: int,
    seed: int,
) -> dict[str, np.ndarray]:
    """Answers of classifiers of each kind that were fitted on other folds."""
    out = {k: np.zeros((len(y), num_classes)) for k in kinds}
    for train, test in fits:
        compress = classifiers.Compress(x[train], components, seed)
        for kind, p in out.items():
            p[test] = classifiers.posteriors(
                compress(x[train]), y[train], compress(x[test]),
                weights=None if weights is None else weights[train],
                classes=num_classes, strength=strength, kind=kind, seed=seed,
            )  # fmt: skip
    return out


def _check_own(own: Mapping[str, Any], fitted: bool) -> dict[str, Any]:
    """Returns the classifiers that are there."""
    if not isinstance(own, Mapping):
        raise InputError(
            f"own must map {', '.join(ROLES)} to classifiers, got {shown(own)}"
        )
    for role in own:
        inputs.choice("own", role, ROLES)
    for role in ROLES[:2]:
        if own.get(role) is None:
            raise InputError(f"own has no classifier '{role}'")
    needed = ("predict_proba",) if fitted else ("fit", "predict_proba")
    there = {role: m for role, m in own.items() if m is not None}
    for role, model in there.items():
        if isinstance(model, type):
            raise InputError(
                f"own['{role}'] is the class {model.__name__}; give an object "
                f"of it, such as {model.__name__}()"
            )
        for method in needed:
            if not callable(getattr(model, method, None)):
                raise InputError(
                    f"own['{role}'] has no method {method}: "
                    f"{type(model).__name__}"
                )
    return there


def _asked(
    role: str,
    model: Any,
    x: np.ndarray,
    y: np.ndarray,
    fits: Any,
    num_classes: int,
) -> np.ndarray:
    """Your classifier's answers, `[n, y]`."""
    if fits is None:
        return _placed(role, model, x, num_classes)
    out = np.zeros((len(y), num_classes))
    for train, test in fits:
        copied = copy.deepcopy(model)
        copied.fit(x[train], y[train])
        out[test] = _placed(role, copied, x[test], num_classes)
    return out


def _placed(
    role: str, model: Any, x: np.ndarray, num_classes: int
) -> np.ndarray:
    """Answers with a column for every class."""
    p = inputs.probabilities(
        f"own['{role}'].predict_proba", model.predict_proba(x)
    )
    known = getattr(model, "classes_", np.arange(p.shape[1]))
    known = inputs.integers(f"own['{role}'].classes_", known)
    if (
        len(known) != p.shape[1]
        or known.min() < 0
        or known.max() >= num_classes
    ):
        raise InputError(
            f"own['{role}'] answers for {p.shape[1]} classes, "
            f"labels has {num_classes}"
        )
    out = np.zeros((len(p), num_classes))
    out[:, known] = p
    return out
