"""The command; see the package."""

import argparse
import logging
import math
import sys
import tempfile
import time
from pathlib import Path

from arm_jax import record
from arm_jax.studies.torture import (
    damages,
    fuzz_files,
    kills,
    machine,
    tables,
    trials,
)
from arm_jax.studies.torture.trials import Part
from arm_jax.workdir import write_json

# By name: the part, and how often it happens without options.
PARTS: dict[str, tuple[Part, int]] = {
    name: (part, part.times)
    for parts in (kills, damages, machine, fuzz_files, tables)
    for name, part in parts.PARTS.items()
}
# Failures that are printed of a part.
_MOST = 10


def main() -> None:
    """Runs the parts that are asked for, and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workdir", type=Path, default=None)
    parser.add_argument(
        "--parts", default=",".join(PARTS), help="names with commas, NAME=TIMES"
    )
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=math.inf)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    asked: dict[str, int] = {}
    for word in given.parts.split(","):
        name, _, times = word.partition("=")
        if name not in PARTS or (times and not times.isdigit()):
            parser.error(f"--parts: no '{word}'; known: {', '.join(PARTS)}")
        asked[name] = int(times or PARTS[name][1])
    logging.disable(logging.WARNING)
    folder = given.workdir or Path(tempfile.mkdtemp(prefix="torture"))
    folder = folder.absolute()
    until = time.monotonic() + 60 * given.minutes
    # Children have it from here, whatever becomes of the files.
    record.source_digest()
    kinds = {kind for name in asked for kind in PARTS[name][0].kinds}
    if kinds:
        kills.prepare(sorted(kinds), folder / kills.REFERENCES)
    found = []
    for name, times in asked.items():
        part = PARTS[name][0]
        lines = trials.do(
            part,
            folder / name,
            times,
            jobs=given.jobs,
            seed=given.seed,
            until=until,
        )
        for words in [x for line in lines for x in line["wrong"]][:_MOST]:
            sys.stderr.write(f"{name}: {words}\n")
        found.append(trials.summary(part, lines))
        # Who interrupts what follows has this much.
        write_json(folder / "summary.json", {"campaign": found})
        sys.stderr.write(f"{trials.table(found[-1:])}\n")
    sys.stdout.write(trials.table(found) + "\n")
    sys.exit(any(one["failures"] for one in found))


if __name__ == "__main__":
    main()
