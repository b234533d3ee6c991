"""A campaign against the promise that nothing is lost and nothing is guessed.

    python -m arm_jax.studies.torture --workdir=runs/torture --jobs=2

Runs are killed and go on; files are damaged; the machine refuses room, memory
and rights; entry points get what no one would give them; certificates are
checked by other arithmetic. What a part does is cut into trials by number,
which `--jobs` processes do, each in a folder of its own. Their lines are in
PART.jsonl of the workdir, and the same command goes on behind them. It ends
with a table; the exit status is 1 if a row has a failure. Without options a
short campaign of some minutes.
"""
