"""The command `arm-jax NAME`, for `python -m experiments.NAME`."""

import runpy
import sys

# What each command does; --help after its name says more.
COMMANDS = {
    "train": "train one model and report what it learned",
    "prepare": "make records of a data set's files, once",
    "compare": "compare methods on one data set, several seeds each",
    "rank": "rank methods over the data sets of several comparisons",
    "valuate": "value what each modality contributes, sample by sample",
    "quantify": "quantify the interactions of a data set's modalities",
    "synergy": "compare the bounds of the synergy with the truth",
    "coverage": "measure how often error bars cover the truth",
    "study": "run another study: published, recovery, screening or truth",
    "demo": "train joint and arm on real sensors and compare them",
}
# What the extra `train` installs.
TRAINING = frozenset(
    {"absl", "flax", "grain", "matplotlib", "ml_collections", "optax", "orbax",
     "tensorflow_datasets"}
)  # fmt: skip


def main() -> None:
    """Runs the command that the first argument names."""
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name in ("", "-h", "--help", "help"):
        width = max(map(len, COMMANDS))
        print("usage: arm-jax COMMAND [--config=NAME] [--workdir=FOLDER]\n")
        for command, what in COMMANDS.items():
            print(f"  {command:{width}}  {what}")
        return
    if name not in COMMANDS:
        known = ", ".join(COMMANDS)
        print(
            f"error: unknown command '{name[:100]}'; known: {known}",
            file=sys.stderr,
        )
        sys.exit(2)
    sys.argv = [f"arm-jax {name}", *sys.argv[2:]]
    try:
        runpy.run_module(f"{__package__}.{name}", run_name="__main__")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in TRAINING:
            raise
        print(
            f"error: there is no {error.name} here, which commands need: "
            "pip install 'arm-jax[train]'",
            file=sys.stderr,
        )
        sys.exit(2)


if __name__ == "__main__":
    main()
