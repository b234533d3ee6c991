"""Do the decomposition and the advice recover what is true of known problems?

The workdir holds config.json, record.jsonl, draws.jsonl (a line for each draw
of a problem) and results.json. The same call resumes.
"""

import dataclasses
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from tqdm import tqdm

import bounds
from arm_jax import lock
from arm_jax.config import from_mapping
from arm_jax.errors import InputError, check_choice
from arm_jax.studies import lines
from arm_jax.studies.truth import PROBLEMS, QUANTITIES, problem_of
from arm_jax.workdir import write_json
from bounds import inputs, problems
from bounds.estimation import decisions

POSTERIORS = ("exact", "fitted")


@dataclasses.dataclass(frozen=True)
class RecoveryConfig:
    """One study."""

    # Names in bounds.problems or bounds.companion, all of the former if empty.
    problems: tuple[str, ...] = ()
    # Posteriors that are decomposed: "exact", the problem's own; "fitted",
    # those of classifiers, from which a recommendation follows too.
    posteriors: str = "exact"
    sizes: tuple[int, ...] = (500, 2000)
    draws: int = 20
    # Of the bootstrap of each draw.
    replicates: int = 200
    # Of fitted classifiers: 0, or how often they are fitted anew, for the
    # numbers without what fitting costs.
    refits: int = 0
    # Bits below which a quantity does not matter.
    margin: float = 0.1
    # Draws are numbered from here.
    first_seed: int = 0

    def __post_init__(self) -> None:
        """Checks the values that no type can check."""
        check_choice("config posteriors", self.posteriors, POSTERIORS)
        for name in self.problems:
            check_choice("config problems", name, PROBLEMS)
        inputs.integer("config draws", self.draws, 1)
        inputs.integer("config replicates", self.replicates, 2)
        if self.refits:
            inputs.integer("config refits", self.refits, 2)
            if self.posteriors == "exact":
                raise InputError("config refits: exact posteriors have none")
        inputs.real("config margin", self.margin, above=0)
        inputs.seed("config first_seed", self.first_seed)
        if not self.sizes:
            raise InputError("config sizes is empty")
        for size in self.sizes:
            inputs.integer("config sizes", size, 10)


def recovery(
    config: Mapping[str, Any],
    workdir: str | Path,
    *,
    progress: bool = True,
    allow: Collection[str] = (),
) -> dict[str, Any]:
    """Runs the study into `workdir`, or goes on with it.

    Args:
      config: Mapping for `RecoveryConfig`.
      workdir: Folder of the study, held by a lock meanwhile.
      progress: Whether to show a progress bar.
      allow: What may differ from the study's beginning, see
        `arm_jax.record.ALLOWED`.

    Returns:
      What results.json holds: `truth` by problem, and the `draws`.

    Raises:
      InputError: Wrong configuration; a workdir in use, of another
        configuration, or of a study that was made with something else.
    """
    checked = from_mapping(RecoveryConfig, config)
    with lock.hold(workdir) as folder:
        log, records = lines.resume(folder, config, "draws.jsonl", allow)
        done = {(r["problem"], r["size"], r["seed"]) for r in records}
        names = checked.problems or problems.NAMES
        jobs = [
            (name, size, checked.first_seed + i)
            for name in names
            for size in checked.sizes
            for i in range(checked.draws)
        ]
        for name, size, seed in tqdm(jobs, disable=not progress):
            if (name, size, seed) not in done:
                log.append(draw(name, size, seed, checked))
        results = {
            "config": dataclasses.asdict(checked),
            "truth": {name: _truth(name, checked.margin) for name in names},
            "draws": log.read(),
        }
        write_json(folder / "results.json", results)
        return results


def draw(
    name: str, size: int, seed: int, config: RecoveryConfig
) -> dict[str, Any]:
    """The answer for one draw of a problem."""
    samples = problem_of(name).sample(size, seed)
    start = time.perf_counter()
    advice: dict[str, Any] = {}
    again = None
    try:
        if config.posteriors == "exact":
            pid = bounds.pid_of_posteriors(
                samples.posterior1, samples.posterior2,
                r12=samples.posterior12, labels=samples.labels,
                replicates=config.replicates, seed=seed,
            )  # fmt: skip
        else:
            answer = bounds.pid_of_features(
                samples.x1, samples.x2, samples.labels,
                names=("first", "second"), margin=config.margin,
                replicates=config.replicates, refits=config.refits, seed=seed,
            )  # fmt: skip
            pid, again = answer.pid, answer.refits
            advice = {
                "family": answer.recommendation.family,
                "modality": answer.recommendation.modality,
                "measure": answer.recommendation.measure,
                "interaction": answer.interaction,
                "classifiers": answer.classifiers,
                "learned": dict(answer.learned),
            }
    except InputError as error:
        # Such as a class that no fold can hold: no answer is one.
        return {
            "problem": name, "size": size, "seed": seed, "refused": str(error),
        }  # fmt: skip
    if again is not None:
        advice["refits"] = {
            "value": [again.value[q] for q in QUANTITIES],
            "interval": [again.interval[q] for q in QUANTITIES],
        }
    return {
        "problem": name,
        "size": size,
        "seed": seed,
        "value": [getattr(pid, q) for q in QUANTITIES],
        "interval": [pid.interval[q] for q in QUANTITIES],
        "gap": pid.gap,
        "doubts": list(pid.doubts),
        "seconds": time.perf_counter() - start,
        **advice,
    }


def _truth(name: str, margin: float) -> dict[str, Any]:
    """The decomposition, and the advice that follows if it is known."""
    truth = problem_of(name).truth
    parts = {q: getattr(truth, q) for q in QUANTITIES}
    whole = dict(parts)
    if truth.interaction is not None:
        whole["interaction"] = truth.interaction
    known = decisions.decide(whole, ("first", "second"), margin=margin)
    return {
        "value": list(parts.values()),
        "interaction": truth.interaction,
        "error": truth.error,
        **known._asdict(),
    }
