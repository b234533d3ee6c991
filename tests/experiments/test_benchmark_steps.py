import numpy as np
import pytest

from arm_jax import methods
from configs import npz
from experiments import benchmark_steps, cli


@pytest.fixture
def config(npz_file):
    config = npz.get_config()
    config.data.options.path = str(npz_file)
    config.data.batch_size = 20
    return cli.to_dict(config)


def test_table_by_hand():
    seconds = {"joint": {1: 0.002, 5: 0.003}, "arm": {1: 0.003, 5: 0.006}}
    table = benchmark_steps.steps_table(seconds).splitlines()
    cells = [cell.strip() for cell in table[-1].split("|")[1:-1]]
    assert cells == ["arm", "3.00", "1.50", "6.00", "2.00", "2.00"]
    assert "/ joint" in table[0]
    assert "5 seeds / 1" in table[0]


def test_a_step_takes_time(config, monkeypatch):
    monkeypatch.setattr(benchmark_steps, "_ROUNDS", 1)
    seconds = benchmark_steps.step_seconds(config, ["joint"], (1, 2))
    assert seconds.keys() == {"joint"}
    assert all(0 < seconds["joint"][count] < 60 for count in (1, 2))


def test_methods_of_two_modalities_are_left_out(config, npz_arrays, tmp_path):
    everything = benchmark_steps.defined_methods(config)
    assert everything[0] == "joint"
    assert set(everything) == set(methods.names())
    file = tmp_path / "three.npz"
    np.savez(file, **npz_arrays, third=npz_arrays["loud"])
    config["data"]["options"]["path"] = str(file)
    defined = benchmark_steps.defined_methods(config)
    assert set(everything) - set(defined) == {"arm_released"}
