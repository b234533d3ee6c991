import errno
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import jax
import pytest

import experiments
from arm_jax import environment
from arm_jax.errors import InputError, TrainingError
from experiments import cli

ROOT = Path(__file__).parent.parent.parent


def run(body, *arguments, shell="", **variables):
    """Runs a command of one line in a process of its own."""
    code = f"from experiments import cli\ncli.run(lambda argv: {body})"
    command = [sys.executable, "-c", code, *arguments]
    if shell:
        command = ["sh", "-c", f'"$@" {shell}', "sh", *command]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | {"JAX_NUM_CPU_DEVICES": "1"} | variables,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (InputError("x is 3"), 2, "error: x is 3\n"),
        (TrainingError("loss is nan"), 1, "error: loss is nan\n"),
        (
            OSError(errno.ENOSPC, "No space left on device", "/a"),
            1,
            "error: /a: no space left on device; make room and repeat the "
            "command; a training goes on from its last checkpoint\n",
        ),
        (KeyboardInterrupt(), 130, "error: interrupted; the same command"),
    ],
)
def test_errors_are_one_line_and_a_status(error, status, message, capsys):
    def start():
        raise error

    assert cli._status_of(start) == status
    printed = capsys.readouterr().err
    assert printed.startswith(message)
    assert printed.count("\n") == 1


def test_a_defect_keeps_its_traceback():
    def start():
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        cli._status_of(start)


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"JAX_PLATFORMS": "cuda"}, "JAX_PLATFORMS=cuda names a platform that"),
        ({"JAX_NUM_CPU_DEVICES": "many"}, '"many" for JAX flag jax_num_cpu_'),
    ],
)
def test_variables_that_jax_cannot_read(variables, words):
    if variables.get("JAX_PLATFORMS") == "cuda" and _has_gpu():
        pytest.skip("there is a GPU")
    status, stdout, stderr = run("print('ran')", **variables)
    assert (status, stdout) == (2, "")
    (line,) = [x for x in stderr.splitlines() if x.startswith("error: ")]
    assert words in line
    assert "Traceback" not in stderr


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (
            "tpu",
            RuntimeError("Unable to initialize backend 'tpu': no (set ...)"),
            r"^JAX_PLATFORMS=tpu names .* not there \(Unable .*: no\); unset",
        ),
        ("cuda", AssertionError(), "=cuda names a platform that is not there;"),
        ("", RuntimeError("no\nlines"), r"finds no device \(no\); JAX_PLATFO"),
    ],
)
def test_a_platform_that_is_not_there(given, error, message, monkeypatch):
    def devices():
        raise error

    monkeypatch.setenv("JAX_PLATFORMS", given)
    monkeypatch.setattr(jax, "devices", devices)
    with pytest.raises(InputError, match=message):
        environment.check_platform()


def _has_gpu():
    return Path("/dev/nvidia0").exists()


def test_any_name_is_printed_in_any_locale():
    status, stdout, stderr = run(
        r"print('\u97f3') or print('\xe4', file=__import__('sys').stderr)"
        " or __import__('absl.logging').logging.error('noise')",
        LC_ALL="POSIX",
        PYTHONCOERCECLOCALE="0",
        PYTHONUTF8="0",
    )
    assert status == 0, stderr
    assert stdout == "\\u97f3\n"
    assert stderr == "\\xe4\n"  # and nothing that libraries log


@pytest.mark.skipif(os.name != "posix", reason="needs a shell")
@pytest.mark.parametrize(
    ("shell", "status"),
    [
        (">&- 2>&-", 0),
        (">/dev/full", 1),
    ],
)
def test_streams_that_are_closed_or_full(shell, status):
    body = "print('x') or print('y', file=__import__('sys').stderr)"
    code, _, stderr = run(body, shell=shell)
    assert code == status, stderr
    assert "Traceback" not in stderr
    if status:
        assert "no space left on device" in stderr


@pytest.mark.skipif(os.name != "posix", reason="needs a shell")
def test_nobody_reads_the_output():
    body = "[print('x' * 999) for _ in range(999)] and None"
    status, stdout, stderr = run(body, shell="| true; echo $?")
    assert (status, stdout.strip()) == (0, "0")
    assert "Traceback" not in stderr
    assert "error" not in stderr


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--wrokdir=x", "Unknown command line flag 'wrokdir'"),
        ("--flagfile=nowhere", "nowhere"),
        ("--config.train.epochs", "has no value"),
    ],
)
def test_flags_that_there_are_not(argument, message):
    with pytest.raises(InputError, match=message):
        cli._parse_flags(["command", argument])


def test_an_interrupt_while_libraries_load_is_one_line(capsys):
    experiments._explain(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert capsys.readouterr().err == (
        "error: interrupted; the same command resumes\n"
    )
    experiments._explain(ValueError, ValueError("mine"), None)
    assert "ValueError: mine" in capsys.readouterr().err


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
def test_interrupted_imports():
    # Of a process in the background the shell has the signal ignored.
    code = (
        "import os, signal;"
        "signal.signal(signal.SIGINT, signal.default_int_handler);"
        "import experiments; os.kill(os.getpid(), signal.SIGINT)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode in (-2, 130)
    assert done.stderr == "error: interrupted; the same command resumes\n"


def test_a_data_file_in_place_of_a_config(monkeypatch):
    monkeypatch.setattr(
        cli, "CONFIG", SimpleNamespace(name="config", value=None)
    )
    found = cli.config("quantify", "a/my.npz")
    assert found["data"] == {
        "name": "npz",
        "options": found["data"]["options"] | {"path": "a/my.npz"},
    }
    with pytest.raises(InputError, match="--config=... is required"):
        cli.config("quantify")


def test_one_file_and_no_more():
    code = "from experiments import cli; cli.run(lambda a: 0, takes_file={})"
    for takes_file, arguments in ((False, ["a"]), (True, ["b", "a"])):
        command = [sys.executable, "-c", code.format(takes_file), *arguments]
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, encoding="utf-8",
            timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 2
        assert done.stderr == "error: unknown argument 'a'\n"
