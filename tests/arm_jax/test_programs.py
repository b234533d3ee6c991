import jax
import jax.numpy as jnp
import pytest

from arm_jax import programs


def compiled(number):
    """Compiles a program that nobody needs any more, as a training leaves."""
    jax.jit(lambda x: jnp.sin(x) + number)(jnp.ones(number)).block_until_ready()


def taken():
    with programs._TAKEN.open("rb") as file:
        return sum(1 for _ in file)


@pytest.mark.skipif(not programs._TAKEN.exists(), reason="needs Linux")
def test_programs_go_when_half_of_the_room_is_taken(monkeypatch, tmp_path):
    compiled(3)
    jax.clear_caches()
    before = taken()
    for number in range(4, 16):
        compiled(number)
    full = taken()
    assert full > before
    monkeypatch.setattr(programs, "_ALLOWED", tmp_path / "allowed")
    programs._ALLOWED.write_text(f"{3 * full}\n")
    # Other things come and go by twos and threes.
    middle = (before + full) / 2
    programs.make_room()
    assert taken() > middle
    programs._ALLOWED.write_text(f"{full}\n")
    programs.make_room()
    assert taken() < middle


def test_where_nothing_tells(monkeypatch, tmp_path):
    monkeypatch.setattr(programs, "_ALLOWED", tmp_path / "nowhere")
    programs.make_room()
