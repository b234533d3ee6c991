"""Values what each modality contributes to a trained model, by sample.

    python -m experiments.valuate --workdir=runs/watch_arm [--split=test]
    python -m experiments.valuate --outputs=outputs.npz --workdir=runs/theirs

Reads a finished run of `train` and writes valuation_SPLIT.npz (see
arm_jax/studies/valuation.py) and valuation_SPLIT.html into its workdir.
With `--outputs`, it reads what a model of any framework predicts from subsets
of modalities (see arm_jax/data/outputs.py) and writes a report.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from absl import flags

from arm_jax.data.dataset import SPLITS
from arm_jax.data.outputs import KINDS
from arm_jax.reports.outputs import markdown
from arm_jax.reports.valuation import summary_table
from arm_jax.studies.outputs import valuate_outputs
from arm_jax.studies.valuation import valuate

from . import cli

_SPLIT = flags.DEFINE_enum("split", "test", SPLITS, "Which examples.")
_OUTPUTS = flags.DEFINE_string(
    "outputs", None, "File of another model's outputs by subset."
)
_KIND = flags.DEFINE_enum("kind", "auto", KINDS, "What that file holds.")


def main(argv: Sequence[str]) -> int:
    """Runs the command."""
    del argv
    workdir = Path(cli.required(cli.WORKDIR)).expanduser()
    if _OUTPUTS.value is not None:
        results = valuate_outputs(_OUTPUTS.value, workdir, kind=_KIND.value)
        print(f"\n{markdown(results)}\nreport: {workdir / 'report.html'}")
        return 0
    values = valuate(workdir, _SPLIT.value)
    print(summary_table(values))
    finite = np.isfinite(values["phi_cmi"]).all(axis=-1)
    if not finite.all():
        print(
            f"\n{(~finite).sum()} of {finite.size} samples have contributions "
            "that are not finite; the figure is without them"
        )
    file = workdir / f"valuation_{_SPLIT.value}"
    print(f"\nvalues: {file}.npz\nreport: {file}.html")
    return 0


if __name__ == "__main__":
    cli.run(main, takes_config=False)
