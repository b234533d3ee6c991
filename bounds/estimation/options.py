"""How the interactions of features are found."""

import dataclasses

from bounds import inputs
from bounds.errors import InputError
from bounds.estimation import decisions
from bounds.estimation.calibration import CALIBRATIONS

DISCRETIZERS = ("posteriors", "kmeans", "quantiles")
# The labelled pairs as they are; or, for each modality, the labels of its own
# half of the units, and all pairs without labels.
KNOWLEDGE = ("labelled", "unimodal")
DECIDE_BY = ("posteriors", "symbols")
SYMBOLS_WHEN = ("always", "needed")


@dataclasses.dataclass(frozen=True)
class SymbolsOptions:
    """How a modality becomes symbols."""

    kind: str = "posteriors"
    # "always"; or "needed", where posteriors do not decide. They are most of
    # the work.
    when: str = "always"
    # Symbols of each modality, fewer if it has fewer values; 0 for the most
    # that the samples can carry.
    number: int = 0
    # Largest number that is tried, and shown in the sensitivity.
    most: int = 20
    sensitivity: tuple[int, ...] = (2, 4, 8, 16)


@dataclasses.dataclass(frozen=True)
class ModelsOptions:
    """The classifiers that give posteriors and yardsticks."""

    # Inverse strength of the logistic regressions' regularisation.
    strength: float = 0.1
    components: int = 50
    # How posteriors are calibrated, out of fold, before they are decomposed:
    # "temperature"; "vector", which also mends the shares of the classes;
    # "auto", the one that fits better; or "" for not at all.
    calibration: str = "auto"
    # Modalities that are series, described by classifiers.summary.
    series: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class ResamplingOptions:
    """Resampling."""

    replicates: int = 1000
    permutations: int = 200
    # Of the synergy interval, which costs more.
    interval_replicates: int = 100
    seed: int = 0


@dataclasses.dataclass(frozen=True)
class StudyOptions:
    """How the interactions of features are found."""

    # Cross-fit on all splits together with so many folds; 0 fits on the
    # training split and counts on validation and test.
    folds: int = 0
    knowledge: str = "labelled"
    # Each modality against all others together.
    rest: bool = True
    # Each pair given each third modality, from symbols, if there always are;
    # where labels of pairs may be used.
    given: bool = True
    # What the recommendations rest on. Symbols lose information, so that what
    # they say is of the features only if these are symbols.
    decide_by: str = "posteriors"
    # Bits below which a quantity does not matter.
    margin: float = decisions.MARGIN
    # Labelled pairs that can be paid for.
    budget: int = 1000
    symbols: SymbolsOptions = SymbolsOptions()
    models: ModelsOptions = ModelsOptions()
    resampling: ResamplingOptions = ResamplingOptions()

    def __post_init__(self) -> None:
        """Checks the values that no type can check."""
        for path, value, known in (
            ("symbols.kind", self.symbols.kind, DISCRETIZERS),
            ("symbols.when", self.symbols.when, SYMBOLS_WHEN),
            ("knowledge", self.knowledge, KNOWLEDGE),
            ("decide_by", self.decide_by, DECIDE_BY),
            ("models.calibration", self.models.calibration, CALIBRATIONS),
        ):
            inputs.choice(path, value, known)
        for path, number, least in (
            ("budget", self.budget, 0),
            ("symbols.number", self.symbols.number, 0),
            ("symbols.most", self.symbols.most, 2),
            ("models.components", self.models.components, 1),
            ("resampling.replicates", self.resampling.replicates, 2),
            ("resampling.permutations", self.resampling.permutations, 0),
            ("resampling.interval_replicates",
             self.resampling.interval_replicates, 2),
        ):  # fmt: skip
            if number < least:
                raise InputError(
                    f"{path} must be at least {least}, got {number}"
                )
        if self.symbols.number == 1:
            raise InputError("symbols.number must be 0 or at least 2")
        for number in self.symbols.sensitivity:
            if number < 2:
                raise InputError(
                    "symbols.sensitivity must hold numbers of at least "
                    f"2, got {number}"
                )
        if self.folds < 0 or self.folds == 1:
            raise InputError(f"folds must be 0 or at least 2, got {self.folds}")
        inputs.seed("resampling.seed", self.resampling.seed)
        inputs.real("margin", self.margin, above=0)
        inputs.real("models.strength", self.models.strength, above=0)
