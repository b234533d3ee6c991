"""AND, OR and XOR of two fair bits, with a label that is flipped at times.

python -m experiments.synergy --config=configs/synergy_logic.py \
        --workdir=runs/synergy_logic
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    """Returns the config of the study on logic gates."""
    return ConfigDict(
        {
            "kind": "logic",
            "gates": ("AND", "OR", "XOR"),
            "noise": (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5),
            "effort": "exact",
            "seconds": 1.0,
        }
    )
