import dataclasses

import pytest

from bounds.errors import InputError
from bounds.estimation.options import (
    ModelsOptions,
    ResamplingOptions,
    StudyOptions,
    SymbolsOptions,
)


def symbols(**changes):
    return {"symbols": SymbolsOptions(**changes)}


def models(**changes):
    return {"models": ModelsOptions(**changes)}


def resampling(**changes):
    return {"resampling": ResamplingOptions(**changes)}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (symbols(kind="x"), "symbols.kind must be one of posteriors, kmeans"),
        (symbols(number=-1), "symbols.number must be at least 0, got -1"),
        (symbols(number=1), "symbols.number must be 0 or at least 2"),
        (symbols(most=1), "symbols.most must be at least 2, got 1"),
        (symbols(sensitivity=(2, 1)), "symbols.sensitivity must hold numbers"),
        (models(calibration="x"), "models.calibration must be one of auto"),
        (models(components=0), "models.components must be at least 1, got 0"),
        (models(strength=0.0), "models.strength must be positive, got 0"),
        (resampling(replicates=1), "resampling.replicates must be at least 2"),
        (resampling(permutations=-1), "resampling.permutations must be at"),
        (resampling(interval_replicates=1), "resampling.interval_replicates"),
        (resampling(seed=-1), "resampling.seed must be at least 0, got -1"),
        ({"knowledge": "all"}, "knowledge must be one of labelled, unimodal"),
        ({"budget": -1}, "budget must be at least 0, got -1"),
        ({"margin": 0.0}, "margin must be positive, got 0"),
        ({"folds": 1}, "folds must be 0 or at least 2, got 1"),
    ],
)
def test_options_out_of_range_are_named(changes, message):
    with pytest.raises(InputError, match=message):
        dataclasses.replace(StudyOptions(), **changes)


def test_the_defaults_are_in_range():
    assert StudyOptions(folds=2).symbols.number == 0
