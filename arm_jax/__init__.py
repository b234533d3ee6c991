"""Balanced multimodal training, and what it needs of information theory.

    arm_jax.fit(config, workdir)       train, or resume
    arm_jax.evaluate(workdir)          scores of what was trained
    arm_jax.valuate(workdir)           contributions of modalities, by sample
    arm_jax.compare(config, workdir)   several methods and seeds
    arm_jax.quantify(config, workdir)  interactions of a data set's modalities
    arm_jax.quantify_arrays(inputs, labels, workdir)  the same of your arrays

A config is a nested mapping for `arm_jax.Config`, such as those in configs/.
`load_dataset`, `create_model` and `load_run` give the parts.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from arm_jax.config import Config as Config
    from arm_jax.data import Dataset as Dataset
    from arm_jax.data import load as _load
    from arm_jax.errors import InputError as InputError
    from arm_jax.errors import TrainingError as TrainingError
    from arm_jax.methods import Method as Method
    from arm_jax.models import Model as Model
    from arm_jax.models import create_model as create_model
    from arm_jax.studies.comparison import compare as compare
    from arm_jax.studies.finished import evaluate as evaluate
    from arm_jax.studies.finished import load_run as load_run
    from arm_jax.studies.outputs import valuate_outputs as valuate_outputs
    from arm_jax.studies.quantify import quantify as quantify
    from arm_jax.studies.quantify import quantify_arrays as quantify_arrays
    from arm_jax.studies.training import fit as fit
    from arm_jax.studies.valuation import valuate as valuate

    load_dataset = _load

# Where the names are from. They are loaded when they are first used: commands
# look at their workdir before they wait for JAX.
_HOMES = {
    "Config": "config.Config",
    "Dataset": "data.Dataset",
    "InputError": "errors.InputError",
    "Method": "methods.Method",
    "Model": "models.Model",
    "TrainingError": "errors.TrainingError",
    "compare": "studies.comparison.compare",
    "create_model": "models.create_model",
    "evaluate": "studies.finished.evaluate",
    "fit": "studies.training.fit",
    "load_dataset": "data.load",
    "load_run": "studies.finished.load_run",
    "quantify": "studies.quantify.quantify",
    "quantify_arrays": "studies.quantify.quantify_arrays",
    "valuate": "studies.valuation.valuate",
    "valuate_outputs": "studies.outputs.valuate_outputs",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'arm_jax' has no attribute '{name}'")
    module, _, attribute = _HOMES[name].rpartition(".")
    value = getattr(importlib.import_module(f"arm_jax.{module}"), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(_HOMES)
