"""Information-theoretic quantities and bounds of two modalities and a label.

Pure functions of discrete tables; `bounds.estimation` makes the tables from
samples. Arrays put the alphabets last and in the order `p[..., x1, x2, y]`;
leading axes are batch axes; all quantities are in bits unless a function says
otherwise.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bounds import companion as companion
    from bounds import coupling as coupling
    from bounds import estimation as estimation
    from bounds import gaussian as gaussian
    from bounds import information as information
    from bounds import marginals as marginals
    from bounds import problems as problems
    from bounds import several as several
    from bounds import synergy_lower as synergy_lower
    from bounds import synergy_upper as synergy_upper
    from bounds.accuracy import AccuracyInterval as AccuracyInterval
    from bounds.accuracy import accuracy_interval as accuracy_interval
    from bounds.decomposition import PID as PID
    from bounds.decomposition import pid as pid
    from bounds.decomposition import pid_from_marginals as pid_from_marginals
    from bounds.decomposition import stack_tables as stack_tables
    from bounds.errors import InputError as InputError
    from bounds.estimation.calibration import Calibrated as Calibrated
    from bounds.estimation.calibration import calibrate as calibrate
    from bounds.estimation.evidence import Labelled as Labelled
    from bounds.estimation.evidence import Predictions as Predictions
    from bounds.estimation.evidence import Unimodal as Unimodal
    from bounds.estimation.features import FeaturePID as FeaturePID
    from bounds.estimation.features import pid_of_features as pid_of_features
    from bounds.estimation.features import pid_of_frame as pid_of_frame
    from bounds.estimation.interactions import Interactions as Interactions
    from bounds.estimation.posteriors import PosteriorPID as PosteriorPID
    from bounds.estimation.posteriors import (
        pid_of_posteriors as pid_of_posteriors,
    )
    from bounds.estimation.quantify import quantify as quantify
    from bounds.marginals import Marginals as Marginals
    from bounds.maximum_entropy import MaxEnt as MaxEnt
    from bounds.maximum_entropy import maxent as maxent
    from bounds.options import Options as Options
    from bounds.status import Status as Status
    from bounds.synergy import SynergyInterval as SynergyInterval
    from bounds.synergy import synergy_interval as synergy_interval

# Where the names are from. They are loaded when they are first used: whoever
# only wants the errors does not wait for JAX.
_MODULES = frozenset(
    {
        "companion",
        "coupling",
        "estimation",
        "gaussian",
        "information",
        "marginals",
        "problems",
        "several",
        "synergy_lower",
        "synergy_upper",
    }
)
_HOMES = {
    "AccuracyInterval": "accuracy",
    "Calibrated": "estimation.calibration",
    "FeaturePID": "estimation.features",
    "InputError": "errors",
    "Interactions": "estimation.interactions",
    "Labelled": "estimation.evidence",
    "Marginals": "marginals",
    "MaxEnt": "maximum_entropy",
    "Options": "options",
    "PID": "decomposition",
    "Predictions": "estimation.evidence",
    "PosteriorPID": "estimation.posteriors",
    "Status": "status",
    "SynergyInterval": "synergy",
    "Unimodal": "estimation.evidence",
    "accuracy_interval": "accuracy",
    "calibrate": "estimation.calibration",
    "maxent": "maximum_entropy",
    "pid": "decomposition",
    "pid_from_marginals": "decomposition",
    "quantify": "estimation.quantify",
    "pid_of_features": "estimation.features",
    "pid_of_frame": "estimation.features",
    "pid_of_posteriors": "estimation.posteriors",
    "stack_tables": "decomposition",
    "synergy_interval": "synergy",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"bounds.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'bounds' has no attribute '{name}'")
    value = getattr(importlib.import_module(f"bounds.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(_MODULES | _HOMES.keys())
