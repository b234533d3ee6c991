"""The valuation of a model that was trained elsewhere, in a folder.

It gets results.json, contributions.npz (as of `arm_jax.studies.valuation`,
without the axis of seeds), report.md and a figure.
"""

from pathlib import Path
from typing import Any

import numpy as np

from arm_jax import lock
from arm_jax.analysis import outputs as analysis
from arm_jax.data import outputs as outputs_lib
from arm_jax.reports import outputs as outputs_report
from arm_jax.workdir import to_json, write_json


def valuate_outputs(
    path: str | Path, workdir: str | Path, *, kind: str = "auto"
) -> dict[str, Any]:
    """Values outputs by subset of modalities, from any framework.

    Args:
      path: The file, see `arm_jax.data.outputs`.
      workdir: Folder of the results, held by a lock meanwhile.
      kind: What the arrays hold: "logits", "probabilities",
        "log_probabilities", or "auto".

    Returns:
      The results, as in results.json.

    Raises:
      InputError: Wrong file, or a workdir in use.
    """
    outputs = outputs_lib.read(path, kind=kind)
    with lock.hold(workdir) as folder:
        results = to_json(analysis.summary(outputs) | {"file": str(path)})
        write_json(folder / "results.json", results)
        values = analysis.contributions(outputs)
        if values is not None:
            np.savez_compressed(
                folder / "contributions.npz",
                label=outputs.label,
                modalities=np.asarray(outputs.modalities),
                **values,  # type: ignore[arg-type]
            )
        outputs_report.write(folder, results, values)
    return results
