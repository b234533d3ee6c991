"""Wheel and sdist, each in a clean environment: what a user of them gets.

    python -m docs.checks.wheel [--out=dist] [--light]

Builds both, and looks whether the sdist holds what the wheel is made of. Then,
in new environments: of the wheel alone `import bounds` and a decomposition,
without the training stack, and a sentence from the commands that need it; of
the wheel with its extras `arm-jax --help` and the demo in its small form, from
a folder that is not the checkout; of the sdist `import bounds`. With `--light`
only what needs no extras. `pip` downloads; minutes.
"""

import argparse
import os
import subprocess
import sys
import tarfile
import tempfile
import time
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
# What a wheel must have beside modules.
DATA = ("bounds/py.typed", "arm_jax/py.typed", "arm_jax/configs/npz.py")
DECOMPOSITION = """
import sys, numpy as np, bounds
p = np.zeros((2, 2, 2))
for a in (0, 1):
    for b in (0, 1):
        p[a, b, a ^ b] = 0.25
found = bounds.pid(p)
assert abs(found.synergy - 1) < 1e-6, found
heavy = {"flax", "orbax", "grain", "tensorflow_datasets", "matplotlib"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
print("xor:", float(found.synergy), "bits of synergy")
"""


def main() -> None:
    """Runs the check."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "dist")
    parser.add_argument("--light", action="store_true")
    flags = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tools = _environment(folder / "build", "build")
        _run(tools, "-m", "build", "-q", "--outdir", flags.out, ROOT)
        wheel, sdist = (
            max(flags.out.glob(end), key=lambda file: file.stat().st_mtime)
            for end in ("*.whl", "*.tar.gz")
        )
        _contents(wheel, sdist)
        plain = _environment(folder / "plain", wheel)
        _run(plain, "-c", DECOMPOSITION, at=folder)
        done = _run(
            plain, "-m", "arm_jax.experiments.main", "train", at=folder, fails=2
        )
        assert "arm-jax[train]" in done, done  # noqa: S101
        source = _environment(folder / "source", sdist)
        _run(source, "-c", "import bounds; bounds.pid", at=folder)
        if not flags.light:
            _commands(_environment(folder / "whole", f"{wheel}[watch]"), folder)
    print("wheel and sdist pass")


def _contents(wheel: Path, sdist: Path) -> None:
    """Compares the modules of both with those of the checkout."""
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
    with tarfile.open(sdist) as archive:
        source = {name.partition("/")[2] for name in archive.getnames()}
    missing = [name for name in DATA if name not in packed]
    for top in ("arm_jax", "bounds", "configs", "experiments"):
        inside = top if top in ("arm_jax", "bounds") else f"arm_jax/{top}"
        for file in (ROOT / top).rglob("*.py"):
            name = file.relative_to(ROOT / top).as_posix()
            missing += [f"{inside}/{name}"] * (f"{inside}/{name}" not in packed)
            missing += [f"sdist: {top}/{name}"] * (
                f"{top}/{name}" not in source
            )
    if missing:
        sys.exit(f"missing: {', '.join(missing)}")
    print(f"{wheel.name}: {len(packed)} files; {sdist.name}: {len(source)}")


def _commands(python: Path, folder: Path) -> None:
    """The commands, from elsewhere than the checkout."""
    command = python.with_name("arm-jax")
    for arguments in (
        ("--help",),
        ("demo", "--seeds=1", "--epochs=3", f"--workdir={folder / 'demo'}"),
    ):
        start = time.monotonic()
        subprocess.run(
            [command, *arguments], check=True, cwd=folder, env=_clean(folder)
        )
        print(f"arm-jax {arguments[0]}: {time.monotonic() - start:.0f} s")
    if not (folder / "demo" / "report.html").exists():
        sys.exit("the demo left no report")


def _environment(folder: Path, *packages: object) -> Path:
    """Returns the Python of a new environment with these packages."""
    start = time.monotonic()
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    _run(python, "-m", "pip", "install", "-q", *packages)
    print(f"{folder.name}: installed in {time.monotonic() - start:.0f} s")
    return python


def _run(
    python: Path, *arguments: object, at: Path | None = None, fails: int = 0
) -> str:
    """Runs Python; returns what it wrote to stderr."""
    done = subprocess.run(
        [python, *map(str, arguments)],
        cwd=at or ROOT,
        env=_clean(at or ROOT),
        stderr=subprocess.PIPE,
        text=True,
    )
    if done.returncode != fails:
        sys.exit(f"{' '.join(map(str, arguments))[:200]}:\n{done.stderr}")
    return done.stderr


def _clean(folder: Path) -> dict[str, str]:
    """The variables without those that name a checkout."""
    gone = ("PYTHONPATH", "VIRTUAL_ENV", "PYTHONHOME")
    kept = {k: v for k, v in os.environ.items() if k not in gone}
    return kept | {"TFDS_DATA_DIR": str(folder / "tfds")}


if __name__ == "__main__":
    main()
