"""A campaign against the promise that nothing is lost and nothing is guessed.

    python -m arm_jax.studies.torture --workdir=runs/torture \
        --kills=50 --pairs=20 --damages=100 --inputs=1000

Trainings are killed, alone and one of two processes, and go on; files are
damaged; entry points get what no one would give them. Each part prints a row;
the exit status is 1 if any row has a failure. Without options a short campaign
of a minute or two.
"""
