"""The environment that Keras starts with, and that it starts quietly."""

import os
import platform
import runpy
import subprocess
import sys

import edge_digits_train
import pytest

ONEDNN = "TF_ENABLE_ONEDNN_OPTS"


@pytest.mark.parametrize(
    ("machine", "before", "after"),
    [
        ("x86_64", {}, "1"),
        ("AMD64", {}, "1"),
        ("x86_64", {ONEDNN: "0"}, "0"),
        # TensorFlow calls it experimental there.
        ("aarch64", {}, None),
    ],
)
def test_onednn_is_on_for_x86_unless_it_was_turned_off(
    machine: str, before: dict[str, str], after: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = {name: value for name, value in os.environ.items() if name != ONEDNN}
    monkeypatch.setattr(os, "environ", others | before)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    runpy.run_path(edge_digits_train.__file__)
    assert os.environ.get(ONEDNN) == after


def test_a_trainer_starts_keras_quietly() -> None:
    start = (
        "from edge_digits_train.engine.trainer import Trainer; from edge_digits_train.recipes import catalogue; "
        "Trainer(catalogue.get('mlp-64'), 100)"
    )
    started = subprocess.run([sys.executable, "-c", start], capture_output=True, text=True, check=True)
    assert started.stdout + started.stderr == ""
