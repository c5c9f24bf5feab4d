"""Compare what runs on this device with its passport."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from edge_digits_runtime import installation
from edge_digits_runtime.device import facts
from edge_digits_runtime.device.doctor import Check
from edge_digits_runtime.errors import EdgeDigitsError
from edge_digits_runtime.model import backends
from edge_digits_runtime.model.card import read_model_file
from edge_digits_runtime.records.passport import Passport

_AGAIN = "certify again: edge-digits certify RUN HOST"
_BOARD = ("name", "machine", "cpu", "cores")


def compare(
    passport_file: str | os.PathLike[str],
    model: str | os.PathLike[str] | None = None,
    require_signature: str | os.PathLike[str] | None = None,
) -> list[Check]:
    """Return a check for each thing that a passport names: whether it is what was certified.

    Args:
        passport_file: what ``edge-digits certify`` wrote.
        model: the model that runs here; None for ``model.tflite`` beside the passport.
        require_signature: file of the public key that the passport must be signed with; None if it need not be. Whether
            the model and the code are what it names is told by their sha256.

    Raises:
        EvaluationError: the passport cannot be read.
        SignatureError: it is not signed with the key that is required.
    """
    passport = Passport.load(passport_file, require_signature)
    path = Path(model) if model is not None else Path(passport_file).with_name("model.tflite")
    return [
        _verdict(passport),
        _model(passport, path),
        *_installed(passport.installed),
        *_board(passport.device),
    ]


def _verdict(passport: Passport) -> Check:
    if passport.verdict == "certified":
        return Check("passport", "ok", f"certified {passport.created}")
    return Check("passport", "problem", f"refused: {'; '.join(passport.reasons)}", _AGAIN)


def _model(passport: Passport, path: Path) -> Check:
    name = "certified model"
    try:
        found = read_model_file(path, allow_unverified=True).sha256
    except EdgeDigitsError as error:
        return Check(name, "problem", str(error), "name the model that runs here with --model")
    wanted = passport.model["sha256"]
    if found != wanted:
        return Check(name, "problem", f"{path}: sha256 {found}, certified was {wanted}", _AGAIN)
    return Check(name, "ok", f"{passport.model['name']} {passport.model['scheme']}, sha256 {found}")


def _installed(certified: Mapping[str, Any]) -> Iterator[Check]:
    found = installation.installed(certified)
    different = []
    for name, wanted in certified.items():
        here = found[name]
        if here is None:
            different.append(f"{name} is not installed")
        elif here["version"] != wanted["version"]:
            different.append(f"{name} {here['version']}, certified was {wanted['version']}")
        elif here["sha256"] != wanted["sha256"]:
            different.append(f"{name} {here['version']} has other files than were certified")
    for line in different:
        yield Check("certified code", "problem", line, _AGAIN)
    if not different:
        yield Check("certified code", "ok", f"{len(certified)} distributions, file by file")


def _board(certified: Mapping[str, Any]) -> Iterator[Check]:
    here = facts.device_facts()
    different = [
        f"{name} {here[name]}, certified was {certified.get(name)}"
        for name in _BOARD
        if here[name] != certified.get(name)
    ]
    backend = backends.choose()
    running = f"{backend.name} {backend.version}"
    if running != certified["backend"]:
        different.append(f"backend {running}, certified was {certified['backend']}")
    if different:
        yield Check("certified board", "problem", "; ".join(different), _AGAIN)
    else:
        yield Check("certified board", "ok", str(here["name"]))
    if here["governor"] != certified.get("governor"):
        found = f"{here['governor']}, certified was {certified.get('governor')}"
        yield Check("certified governor", "warning", found, "set the governor that was certified")
