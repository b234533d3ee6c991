"""Starting several processes that run one command together.

They are told of each other by the environment (SLURM, Open MPI, TPU), as JAX
reads it, or by flags; see `docs/processes.md`. What they do together is in
`arm_jax.processes`.
"""

import atexit
import contextlib
import importlib.util
import logging
import os
import platform
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from absl import flags

from arm_jax import processes as together
from arm_jax import watch
from arm_jax.errors import InputError, shortened

_log = logging.getLogger(__name__)

# What Open MPI, in all versions, tells of how many there are.
_MPI_COUNT = "OMPI_COMM_WORLD_SIZE"
_FLAGS = ("coordinator", "processes", "process")
# By launcher: the variables that JAX needs, the number of processes, and the
# number of this one.
_LAUNCHERS = (
    (
        ("SLURM_JOB_ID", "SLURM_STEP_NODELIST", "SLURM_LOCALID"),
        "SLURM_NTASKS",
        "SLURM_PROCID",
    ),
    (
        ("OMPI_MCA_orte_hnp_uri", "OMPI_COMM_WORLD_LOCAL_RANK"),
        _MPI_COUNT,
        "OMPI_COMM_WORLD_RANK",
    ),
)


def define_flags() -> None:
    """Defines the flags that `start_from_flags` reads."""
    flags.DEFINE_string(
        "coordinator", None, "HOST:PORT of process 0, the same for all."
    )
    flags.DEFINE_integer(
        "processes", None, "Processes that run this command together."
    )
    flags.DEFINE_integer("process", None, "Number of this one, from 0.")


def announced(argv: list[str]) -> bool:
    """Whether flags or the environment speak of other processes."""
    names = [a.lstrip("-").partition("=")[0] for a in argv if a[:1] == "-"]
    return (
        any(name in names for name in _FLAGS)
        or _of_environment() > 1
        or _unconnected() > 1
    )


def start_from_flags() -> None:
    """Starts the processes that the flags or the environment speak of.

    Raises:
      InputError: See `start`.
    """
    values = flags.FLAGS.flag_values_dict()
    start(*(values[name] for name in _FLAGS))


def start(
    coordinator: str | None = None,
    processes: int | None = None,
    process: int | None = None,
) -> None:
    """Makes this process one of several, before anything else uses JAX.

    Args:
      coordinator: HOST:PORT where process 0 listens.
      processes: Number of processes; 1 stays alone, whatever the environment.
      process: Number of this one.

    Raises:
      InputError: Flags that do not fit together, or none where the launcher
        does not say where processes meet; processes that do not find each
        other, or that have different numbers of devices.
    """
    given = {"coordinator": coordinator, "processes": processes}
    given["process"] = process
    if processes == 1:
        return
    if any(value is not None for value in given.values()):
        _check(given)
    elif _of_environment() < 2:
        if (count := _unconnected()) > 1:
            # Each would take itself for alone, and for the one that writes.
            raise InputError(
                f"Open MPI started {count} processes but does not say where "
                "they meet, as versions before 5 do: give each --coordinator="
                f"HOST:PORT, --processes={count} and --process="
                "$OMPI_COMM_WORLD_RANK, or start one process without mpirun"
            )
        if not _on_tpu():
            return
    if coordinator is not None and processes and process is not None:
        # Before JAX, which ends a process without a sentence that misses
        # others, and is watched from here on.
        _meet_at(coordinator, processes, process)
    _initialize(coordinator, processes, process)
    import jax

    if jax.process_count() > 1:
        if together.alone():
            _meet(jax.process_count(), jax.process_index())
        _begin()


def _of_environment() -> int:
    """Number of processes that a launcher speaks of."""
    for needed, count, index in _LAUNCHERS:
        if all(name in os.environ for name in (*needed, count, index)):
            with contextlib.suppress(ValueError):
                return int(os.environ[count])
    return 1


def _unconnected() -> int:
    """Number of processes of an Open MPI that JAX cannot read."""
    if "OMPI_MCA_orte_hnp_uri" in os.environ:
        return 1
    with contextlib.suppress(ValueError):
        return int(os.environ.get(_MPI_COUNT, "1"))
    return 1


def _on_tpu() -> bool:
    return importlib.util.find_spec("libtpu") is not None and (
        Path("/dev/accel0").exists() or Path("/dev/vfio/0").exists()
    )


def _check(given: Mapping[str, Any]) -> None:
    """Raises InputError for flags that do not fit together."""
    missing = [name for name, value in given.items() if value is None]
    if missing:
        raise InputError(
            "--coordinator=HOST:PORT, --processes=N and --process=I belong "
            f"together; --{missing[0]} is missing"
        )
    _, colon, port = given["coordinator"].rpartition(":")
    if not colon or not port.isdigit() or not 0 < int(port) < 2**16:
        raise InputError(
            f"--coordinator={given['coordinator']} is not HOST:PORT"
        )
    if given["processes"] < 1:
        raise InputError(f"--processes={given['processes']} must be at least 1")
    if not 0 <= given["process"] < given["processes"]:
        raise InputError(
            f"--process={given['process']} is outside "
            f"0..{given['processes'] - 1}"
        )


def _initialize(
    coordinator: str | None, processes: int | None, process: int | None
) -> None:
    import jax

    # Its handler would take SIGTERM away from ours, see arm_jax.interrupts.
    jax.config.update("jax_enable_preemption_service", False)
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    try:
        jax.distributed.initialize(
            coordinator,
            processes,
            process,
            cluster_detection_method="deactivate" if coordinator else None,
            initialization_timeout=int(watch.JOIN),
            heartbeat_timeout_seconds=int(3 * watch.PATIENCE),
        )
    except ValueError:
        # JAX knows no launcher here: on a TPU without neighbours.
        if coordinator is not None:
            raise
    except RuntimeError as error:
        words = str(error).partition("\n")[0]
        raise InputError(
            f"the {processes or _of_environment()} processes did not find each "
            f"other within {watch.JOIN:.0f} s ({shortened(words)}): start all "
            "of them, with the same coordinator and number of processes"
        ) from error


def _meet_at(coordinator: str, count: int, index: int) -> None:
    """Starts the watch where JAX will have its coordinator.

    Raises:
      InputError: The processes do not reach each other.
    """
    host, _, port = coordinator.rpartition(":")
    if index == 0:
        _log.info("waiting for %d others at port %s", count - 1, port)
        watching = watch.gather(*watch.listen(int(port)), count)
    else:
        address = watch.Address((host.strip("[]"),), int(port), "")
        watching = watch.join(index, count, address)
    together.form(index, count, watching)


def _meet(count: int, index: int) -> None:
    """Starts the watch of processes that a launcher and JAX have connected.

    Raises:
      InputError: The processes do not reach each other.
    """
    together.form(index, count)
    if index == 0:
        listener, address = watch.listen()
        together.tell(list(address))
        watching = watch.gather(listener, address, count)
    else:
        hosts, port, token = together.tell(None)
        address = watch.Address(tuple(hosts), port, token)
        watching = watch.join(index, count, address)
    together.form(index, count, watching)


def _begin() -> None:
    """Leaves it to process 0 to speak, and compares the devices.

    Raises:
      InputError: The processes have different numbers of devices.
    """
    import jax

    if not together.leads():
        logging.getLogger("arm_jax").setLevel(logging.ERROR)
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    # Before JAX waits for the others at the end, as it would for minutes.
    atexit.register(together.leave)
    together.agree({"devices": jax.local_device_count()})
    _log.info(
        "%d processes on %d devices; this is process 0, on %s",
        together.count(),
        jax.device_count(),
        platform.node(),
    )
