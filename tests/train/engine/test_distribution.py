"""Training one recipe on several devices and processes, and what is refused before they start."""

import dataclasses
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from edge_digits_runtime.data.datasets import DataSet
from edge_digits_runtime.errors import RunError
from edge_digits_runtime.records import run
from edge_digits_runtime.records.run import RunRecord
from edge_digits_train.engine import distribution
from edge_digits_train.engine.distribution import join
from edge_digits_train.engine.jax_cluster import JaxCluster
from edge_digits_train.engine.keras_model import weights_sha256
from edge_digits_train.engine.keras_session import keras
from edge_digits_train.engine.tensorflow_cluster import TensorFlowCluster
from edge_digits_train.engine.training import train
from edge_digits_train.recipes.architecture import Conv, Dense, Flatten, Pool
from edge_digits_train.recipes.recipe import Recipe

from edge_digits.cli import main

# One process: trains the first recipe, stops it in the second epoch and resumes it, then trains the others; prints the
# digest of its own weights after each epoch.
_PROCESS = """
import json, pathlib, sys
from edge_digits_runtime.data import loading
from edge_digits_train.engine.distribution import join
from edge_digits_train.engine.keras_model import weights_sha256
from edge_digits_train.engine.trainer import Trainer
from edge_digits_train.engine.training import train
from edge_digits_train.recipes.recipe import Recipe

digests, epoch = [], Trainer.epoch
def told(self, *arguments):
    figures = epoch(self, *arguments)
    digests.append(weights_sha256(self.trained()))
    return figures
Trainer.epoch = told

def stop(at):
    if at.epoch == 2:
        raise KeyboardInterrupt

folder, out = map(pathlib.Path, sys.argv[1:])
dataset = loading.load(folder / "data.npz")
first, *others = map(Recipe.from_dict, json.loads((folder / "recipes.json").read_text()))
cluster = join()
try:
    train(first, dataset, out / first.name, progress=stop, cluster=cluster)
except KeyboardInterrupt:
    train(first, dataset, out / first.name, resume=True, cluster=cluster)
for recipe in others:
    train(recipe, dataset, out / recipe.name, cluster=cluster)
print("digests", *digests)
"""

# Two CPUs of one machine, which TensorFlow must be told before it starts; JAX reads XLA_FLAGS.
_TWO_DEVICES = """
import os
if os.environ.get("KERAS_BACKEND", "tensorflow") == "tensorflow":
    import tensorflow as tf
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
    )
"""
_QUIET = {"CUDA_VISIBLE_DEVICES": "-1", "JAX_PLATFORMS": "cpu", "TF_CPP_MIN_LOG_LEVEL": "3"}


def _free_ports(count: int) -> list[int]:
    """Return ports that nothing listens at."""
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports


def _environment(addresses: list[str], index: int) -> dict[str, str]:
    """Return the variables that name the processes, under either backend."""
    task = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
    return {
        "TF_CONFIG": json.dumps(task),
        "KERAS_DISTRIBUTION_JOB_ADDRESSES": ",".join(addresses),
        "KERAS_DISTRIBUTION_NUM_PROCESSES": str(len(addresses)),
        "KERAS_DISTRIBUTION_PROCESS_ID": str(index),
    }


@pytest.fixture(scope="module")
def steady() -> Recipe:
    """A recipe with everything but random layers, for which each device draws its own numbers."""
    layers = (
        Conv(8, stride=2, use_bias=False, batch_norm=True),
        Pool(),
        Flatten(),
        Dense(10, activation="linear"),
    )
    return Recipe(
        "steady",
        "for tests",
        "our own",
        layers,
        optimizer="sgd",
        learning_rate=0.05,
        momentum=0.9,
        schedule="cosine",
        l2=1e-4,
        weight_average=0.9,
        batch_size=32,
        epochs=2,
        seed=7,
    )


def _write(folder: Path, recipes: list[Recipe], dataset: DataSet) -> None:
    """Write the files that `_PROCESS` reads."""
    (folder / "recipes.json").write_text(json.dumps([recipe.to_dict() for recipe in recipes]))
    np.savez(
        folder / "data.npz",
        x_train=dataset.train.images,
        y_train=dataset.train.labels,
        x_test=dataset.test.images,
        y_test=dataset.test.labels,
    )


@pytest.fixture(scope="module")
def alone(steady: Recipe, small_mnist: DataSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of the steady recipe, trained on one device."""
    folder = tmp_path_factory.mktemp("alone") / "run"
    train(steady, small_mnist, folder)
    return folder


def _check_as_alone(folder: Path, alone: Path) -> None:
    """Check that a run is what one device trains, except for the order in which floats are added."""
    record, expected_record = RunRecord.load(folder), RunRecord.load(alone)
    trained, expected = (keras.models.load_model(path / run.MODEL) for path in (folder, alone))
    assert weights_sha256(trained) == record.weights_sha256
    for mine, theirs in zip(trained.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=2e-3)
    for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
        np.testing.assert_allclose(record.history[name], expected_record.history[name], atol=0.02)
    assert expected_record.extra == {}


def test_two_devices_of_one_machine_train_one_recipe(
    steady: Recipe, alone: Path, small_mnist: DataSet, tmp_path: Path
) -> None:
    _write(tmp_path, [steady], small_mnist)
    environment = os.environ | _QUIET | {"XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    done = subprocess.run(
        [sys.executable, "-c", _TWO_DEVICES + _PROCESS, tmp_path, tmp_path / "out"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert RunRecord.load(tmp_path / "out" / "steady").extra["cluster"] == {"processes": 1, "devices": 2}
    _check_as_alone(tmp_path / "out" / "steady", alone)


def test_two_processes_train_one_recipe(
    steady: Recipe, alone: Path, restless: Recipe, small_mnist: DataSet, tmp_path: Path
) -> None:
    # 720 pictures in batches of 32: the last batch has 16.
    _write(tmp_path, [steady, dataclasses.replace(restless, epochs=1)], small_mnist)
    addresses = [f"127.0.0.1:{port}" for port in _free_ports(2)]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", _PROCESS, tmp_path, tmp_path / f"out{index}"],
            env=os.environ | _QUIET | _environment(addresses, index),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for index in range(2)
    ]
    try:
        outputs = [process.communicate(timeout=400) for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0, 0], outputs
    chief, worker = (out.splitlines()[-1].split()[1:] for out, _ in outputs)
    assert chief == worker
    assert len(set(chief)) == len(chief) == 3
    # One run folder for each recipe, the chief's; the model in it is the one that both have.
    assert not (tmp_path / "out1").exists()
    record = RunRecord.load(tmp_path / "out0" / "steady")
    assert record.weights_sha256 == chief[1]
    assert RunRecord.load(tmp_path / "out0" / "restless").weights_sha256 == chief[2]
    assert record.extra["cluster"] == {"processes": 2, "devices": 2}
    _check_as_alone(tmp_path / "out0" / "steady", alone)


# --- the environment


@pytest.mark.parametrize(
    "config",
    [
        "",
        "[]",
        '{"cluster": {}}',
        '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}',
        '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": "0"}}',
        '{"cluster": {"worker": ["a:1"]}, "task": {"type": "ps", "index": 0}}',
    ],
)
def test_a_wrong_tf_config_is_one_line(config: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_CONFIG", config)
    with pytest.raises(RunError, match=r"^TF_CONFIG must be like \{[^\n]*$"):
        TensorFlowCluster.peers()


def test_a_tf_config_with_a_chief(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = {"chief": ["a:1"], "worker": ["b:1", "c:1"]}
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": jobs, "task": {"type": "worker", "index": 1}}))
    assert TensorFlowCluster.peers() == (["a:1", "b:1", "c:1"], 2)


@pytest.mark.parametrize(("count", "index"), [("3", "0"), ("2", "2"), ("2", "-1"), ("", "")])
def test_wrong_numbers_of_processes_are_one_line(count: str, index: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in _environment(["a:1", "b:1"], 0).items():
        monkeypatch.setenv(name, value)
    assert JaxCluster.peers() == (["a:1", "b:1"], 0)
    monkeypatch.setenv("KERAS_DISTRIBUTION_NUM_PROCESSES", count)
    monkeypatch.setenv("KERAS_DISTRIBUTION_PROCESS_ID", index)
    with pytest.raises(RunError, match=r"^KERAS_DISTRIBUTION_JOB_ADDRESSES names 2 processes: set"):
        JaxCluster.peers()


def test_the_environment_of_the_other_backend_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    backend = keras.backend.backend()
    other = {"tensorflow": "KERAS_DISTRIBUTION_JOB_ADDRESSES", "jax": "TF_CONFIG"}[backend]
    monkeypatch.setenv(other, "a:1,b:1")
    with pytest.raises(RunError, match=f"^{other} is set, but Keras on {backend} reads"):
        join()


def test_a_missing_process_ends_the_command_with_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(distribution, "WAIT_S", 0.2)
    addresses = [f"127.0.0.1:{port}" for port in _free_ports(2)]
    command = ["train", "--distribute", "--out", str(tmp_path / "run")]
    result = CliRunner().invoke(main, command, env=_environment(addresses, 1))
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.count("\n") == 1
    assert f"Error: process 1 of 2 waited 0.2 s for {addresses[0]}" in result.stderr
    assert not (tmp_path / "run").exists()
