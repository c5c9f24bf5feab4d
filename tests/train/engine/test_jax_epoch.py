"""An epoch as one program of JAX."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from edge_digits_runtime.data.datasets import DataSet
from edge_digits_train.engine import jax_epoch, keras_session
from edge_digits_train.engine.cluster import ALONE
from edge_digits_train.engine.keras_session import keras
from edge_digits_train.recipes.recipe import Recipe

# Trains two epochs with Keras' fit and with `one_program`; writes the figures of both and the whole state after them.
_PROCESS = """
import json, pathlib, sys
import numpy as np
from edge_digits_runtime.data import loading
from edge_digits_train.engine.jax_epoch import one_program
from edge_digits_train.engine.trainer import Trainer
from edge_digits_train.recipes.recipe import Recipe

folder = pathlib.Path(sys.argv[1])
dataset = loading.load(folder / "data.npz")
recipe = Recipe.from_dict(json.loads((folder / "recipe.json").read_text()))
for name in ("fit", "one_program"):
    trainer, steps = Trainer(recipe, len(dataset.train)), []
    if name == "one_program":
        trainer._fit = one_program(trainer.model)
    told = lambda at: steps.append(at.step)
    figures = [trainer.epoch(index, dataset.train, dataset.test, told) for index in range(2)]
    np.savez(folder / name, *trainer.state(), *trainer.trained().get_weights())
    (folder / f"{name}.json").write_text(json.dumps({"figures": figures, "steps": steps, "of": trainer.steps}))
"""


def test_one_program_trains_as_keras_does(tmp_path: Path, restless: Recipe, small_mnist: DataSet) -> None:
    (tmp_path / "recipe.json").write_text(json.dumps(restless.to_dict()))
    train, test = small_mnist.train, small_mnist.test
    data = {"x_train": train.images[:99], "y_train": train.labels[:99], "x_test": test.images, "y_test": test.labels}
    np.savez(tmp_path / "data.npz", **data)
    environment = os.environ | {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    subprocess.run([sys.executable, "-c", _PROCESS, str(tmp_path)], env=environment, check=True)

    expected, told = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("fit", "one_program"))
    for theirs, mine in zip(expected["figures"], told["figures"], strict=True):
        for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
            assert mine[name] == pytest.approx(theirs[name], rel=1e-3), name
    # All but the last batch, all, and once more with the figures of validation.
    assert told["steps"] == [told["of"] - 1, told["of"], told["of"]] * 2
    with np.load(tmp_path / "fit.npz") as fit, np.load(tmp_path / "one_program.npz") as program:
        assert fit.files == program.files
        for name in fit.files:
            np.testing.assert_allclose(program[name], fit[name], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("backend", "device", "one_program"),
    [("jax", "gpu:0", True), ("jax", "cpu:0", False), ("tensorflow", "gpu:0", False)],
)
def test_one_program_is_for_gpus_under_jax(
    backend: str, device: str, one_program: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keras.backend, "backend", lambda: backend)
    monkeypatch.setattr(keras_session, "devices", lambda: (device,))
    monkeypatch.setattr(jax_epoch, "one_program", lambda model: model)
    model = object()
    assert (ALONE.fitter(model) is model) == one_program
