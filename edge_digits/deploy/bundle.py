"""The bundle: one ZIP with everything that a device needs to run a model and to measure it.

    edge-digits-bundle/README.txt      contents, and the three commands to type there
    edge-digits-bundle/model.tflite    the model with its card
    edge-digits-bundle/test.npz        the test pictures, see `edge_digits_runtime.data.npz.save_test`
    edge-digits-bundle/samples/        sample pictures
    edge-digits-bundle/wheels/         edge-digits and its runtime as they are installed here; asked for, all they need
    edge-digits-bundle/constraints.txt the versions of what they need that are installed here, for ``pip install -c``
    edge-digits-bundle/SHA256SUMS      checksums of the other files, for ``sha256sum -c``

The same model, pictures and packages give the same bytes.
"""

import hashlib
import io
import os
import shlex
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from edge_digits_runtime.data import datasets, npz
from edge_digits_runtime.data.classes import DIGIT_CLASSES
from edge_digits_runtime.data.datasets import DataSet
from edge_digits_runtime.device.measurement import Model
from edge_digits_runtime.errors import DataError, RunError, SignatureError, UsageError
from edge_digits_runtime.model.card import ModelFile, read_model_file
from edge_digits_runtime.records import files
from numpy.typing import NDArray
from PIL import Image

from edge_digits import samples
from edge_digits.deploy import dependencies, wheels
from edge_digits.deploy.dependencies import Platform
from edge_digits.deploy.wheels import SUMS
from edge_digits.formatting import percent
from edge_digits.opening import open_model

FOLDER = "edge-digits-bundle"
"""The only folder at the top of the ZIP, so that unpacking makes one folder."""
MODEL, TEST, README, SAMPLES, WHEELS = "model.tflite", "test.npz", "README.txt", "samples", "wheels"
CONSTRAINTS = "constraints.txt"
_SAMPLES = 10
_LINE_SAMPLE = "line-{}.png"
DISTRIBUTIONS = ("edge-digits-runtime", "edge-digits")
LIVE = "edge-digits-live"
"""Distributions packed as wheels; a device gets what they need from its package index, or from wheels as well."""


@dataclass(frozen=True)
class Bundle:
    """A bundle in memory."""

    content: bytes
    """Content of the ZIP."""
    name: str
    """Name of the recipe, or the file name of a model without a card."""
    scheme: str
    """Quantization scheme from the card, or ``tflite`` for a model without a card."""
    model_bytes: int
    """Size of the model file in bytes."""
    model_sha256: str
    """Hex digest of the model's flatbuffer."""
    data_name: str
    """Name of the data set, such as ``MNIST``."""
    data_sha256: str
    """Digest of the test pictures, see `edge_digits_runtime.data.datasets.digest`."""
    pictures: int
    """Number of test pictures."""
    wheels: Mapping[str, str]
    """Hex digest of each wheel in it, by file name."""
    platform: Platform | None
    """The device whose wheels it carries; None if the device gets them from its package index."""
    installed_bytes: int
    """Size of what its wheels install, in bytes."""

    @property
    def sha256(self) -> str:
        """Hex digest of the ZIP."""
        return hashlib.sha256(self.content).hexdigest()

    def __str__(self) -> str:
        installed = f"; its wheels install {self.installed_bytes / 1e6:.1f} MB" if self.wheels else ""
        carried = f" on {self.platform}, with all they need" if self.platform else ""
        return (
            f"{self.name} {self.scheme} ({self.model_bytes:,} bytes), {self.pictures:,} test pictures of "
            f"{self.data_name}, {len(self.content):,} bytes in all{installed}{carried}"
        )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the ZIP, whole or not at all."""
        files.write_bytes(path, self.content)


def find_model(run: Path, scheme: str, require_signature: Path | None = None) -> Path:
    """Return the ``.tflite`` in the run folder ``run`` whose card states ``scheme``.

    With the file of a public key as ``require_signature``, only models that are signed with it are looked at.

    Raises:
        RunError: there is no such file, or more than one.
        ModelError: a ``.tflite`` in the folder cannot be read.
        SignatureError: there is no such file, and others are not signed with that key.
    """
    found = []
    refused: SignatureError | None = None
    for path in sorted(path for path in run.glob("*.tflite") if not path.name.startswith(".")):
        try:
            card = read_model_file(path, True, require_signature).card
        except SignatureError as error:
            refused = refused or error
            continue
        if card is not None and card.scheme == scheme:
            found.append(path)
    if not found and refused is not None:
        raise refused
    if not found:
        raise RunError(
            f"{run}: no {scheme} .tflite in it; make one with 'edge-digits convert', or name one with --model"
        )
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise RunError(f"{run}: {len(found)} {scheme} models in it ({names}); name one with --model")
    return found[0]


def check_data(name: str, sha256: str, dataset: DataSet) -> None:
    """Check that ``dataset`` has the test pictures that a run was tested with.

    Args:
        name: of the recipe of the run.
        sha256: of the test pictures, see `edge_digits_runtime.data.datasets.digest`.
        dataset: what is to be packed.

    Raises:
        DataError: the pictures have changed since.
    """
    if datasets.digest(dataset.test) != sha256:
        raise DataError(
            f"{dataset.name}: not the test pictures that {name} was tested with when it was trained, so the "
            "figures could not be compared; give the right ones with --data"
        )


def make_bundle(
    model: Path,
    dataset: DataSet,
    *,
    runtime: bool = True,
    platform: Platform | None = None,
    allow_unverified: bool = False,
    require_signature: Path | None = None,
    live: bool = False,
) -> Bundle:
    """Pack ``model`` and the test pictures of ``dataset``.

    Args:
        model: path of a ``.tflite``.
        dataset: data set whose test pictures are packed.
        runtime: pack the wheels of edge-digits and edge-digits-runtime, too.
        platform: pack the wheels of all that these need on such a device, too; None for none.
        allow_unverified: accept a model whose sha256 is not the one in its card.
        require_signature: file of the public key that the model must be signed with; None if it need not be.
        live: pack the page and the service, too.

    Raises:
        SignatureError: it is not signed with that key.
        ModelError: the model cannot be read or loaded, or its tensors are not those of a classifier.
        ChecksumError: the model does not match the sha256 in its card.
        BackendError: no interpreter is installed.
        UsageError: edge-digits is not installed here as a package and cannot be packed, or the wheels of the platform
            cannot be had.
    """
    if platform is not None and not runtime:
        raise UsageError("the wheels of what edge-digits needs go with those of edge-digits: leave out --no-runtime")
    # Loading it as the device does finds every model that the device would refuse.
    classifier = open_model(model, allow_unverified=allow_unverified, require_signature=require_signature)
    file = classifier.model
    dataset = dataset.with_labels(classifier.labels)
    distributions = (*DISTRIBUTIONS, LIVE) if live else DISTRIBUTIONS
    packed = dict(wheels.pack(name) for name in distributions) if runtime else {}
    if platform is not None:
        packed |= dependencies.download(distributions, platform)
    size = dependencies.installed_bytes(list(packed.values()))
    bundle = {
        README: _readme(model, file, dataset, sorted(packed), classifier.labels, platform, size).encode(),
        MODEL: file.content,
        TEST: _test_file(dataset),
    }
    bundle |= {f"{SAMPLES}/{name}": content for name, content in _samples(classifier, dataset).items()}
    bundle |= {f"{WHEELS}/{name}": content for name, content in packed.items()}
    if packed:
        bundle[CONSTRAINTS] = dependencies.constraints(distributions).encode()
    content = wheels.folder_with_checksums(FOLDER, bundle)
    return Bundle(
        content=content,
        name=file.card.name if file.card else model.stem,
        scheme=file.card.scheme if file.card else "tflite",
        model_bytes=len(file.content),
        model_sha256=file.sha256,
        data_name=dataset.name,
        data_sha256=datasets.digest(dataset.test),
        pictures=len(dataset.test),
        wheels={name: hashlib.sha256(content).hexdigest() for name, content in sorted(packed.items())},
        platform=platform,
        installed_bytes=size,
    )


def _samples(classifier: Model, dataset: DataSet) -> dict[str, bytes]:
    """Return pictures to try by file name: scanned digits, or the first test picture of each of up to ten classes."""
    if classifier.labels == DIGIT_CLASSES and classifier.input.kind == "ink":
        return {picture.name: picture.read_bytes() for picture in samples.SAMPLES}
    found = {}
    if classifier.input.kind == "line":
        for number, pixels in enumerate(dataset.test.images[:_SAMPLES], 1):
            found[_LINE_SAMPLE.format(number)] = _png(pixels)
        return found
    for index in np.unique(dataset.test.labels)[:_SAMPLES].tolist():
        # A number, not the name of the class, which not every system allows in a file name.
        found[f"class-{index}.png"] = _png(dataset.test.images[dataset.test.labels == index][0])
    return found


def _png(pixels: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def trial(program: str, folder: str, *options: str) -> str:
    """Return a shell command that lets the model of an unpacked bundle answer its sample pictures.

    Args:
        program: command line of edge-digits there.
        folder: of the bundle.
        options: of the verb.
    """
    words = shlex.join([f"{folder}/{SAMPLES}", "--model", f"{folder}/{MODEL}", *options])
    first = shlex.quote(f"{folder}/{SAMPLES}/{_LINE_SAMPLE.format(1)}")
    return f"verb=classify; [ ! -e {first} ] || verb=read; {program} $verb {words}"


def _test_file(dataset: DataSet) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / TEST
        npz.save_test(path, dataset)
        return path.read_bytes()


def _readme(
    model: Path,
    file: ModelFile,
    dataset: DataSet,
    packed: list[str],
    labels: tuple[str, ...],
    platform: Platform | None,
    size: int,
) -> str:
    flag = "" if file.card is None or file.card.sha256 == file.sha256 else " --allow-unverified"
    install = f"-c {CONSTRAINTS} {WHEELS}/*.whl" if packed else "edge-digits"
    inside = f"{WHEELS}/         {', '.join(packed)}\n{CONSTRAINTS} the versions of what they need\n" if packed else ""
    if platform is not None:
        how = f"For {platform}; nothing is downloaded. Takes {size / 1e6:.0f} MB."
    else:
        how = "Downloads what is missing from the package index."
    # pip replaces a package whose version is another one, and the version of ours names their code.
    how += " The same command in the folder of a newer bundle replaces this one."
    digits = labels == DIGIT_CLASSES
    lines = dataset.input.kind == "line"
    classes = "" if digits or lines else f"its classes are {', '.join(labels)}\n"
    tries = "ten sample pictures" if digits else "sample pictures"
    return f"""\
edge-digits: a {"line reader" if lines else "digit classifier" if digits else "classifier"} for a small device

{MODEL}    {_description(model, file)}
{classes}{_terms(file)}{TEST}        {len(dataset.test):,} test pictures of {dataset.name}
{SAMPLES}/        {tries}
{inside}{SUMS}      to check the copy: sha256sum -c {SUMS}

Type these commands in this folder. They need Python 3.11 or newer and, on Debian and Raspberry Pi OS, the package
python3-venv.

1. Install:

   python3 -m venv venv && venv/bin/pip install {install}

   {how}

2. {"Read" if lines else "Classify"}:

   venv/bin/edge-digits {"read" if lines else "classify"} {SAMPLES} --model {MODEL}{flag}

3. Evaluate, accuracy and speed:

   venv/bin/edge-digits evaluate {MODEL} --data {TEST} -o evaluation.json{flag}

evaluation.json holds every answer and timing. Copy it back and compare it with the float original:

   edge-digits report RUN evaluation.json
"""


def _terms(file: ModelFile) -> str:
    """Return lines on what a model was trained on and under which terms it is; none where its card says neither."""
    if file.card is None:
        return ""
    found = [f"trained on {each}" for each in file.card.trained_on]
    found += [f"licence of the model: {file.card.licence}"] if file.card.licence else []
    return "".join(f"{'':16}{line}\n" for line in found)


def _description(model: Path, file: ModelFile) -> str:
    size = f"{len(file.content):,} bytes"
    if file.card is None:
        return f"{model.name}, {size}, without a model card"
    right = file.card.accuracy.get("test")
    accuracy = "" if right is None else f", {percent(right)} right on its test pictures when it was converted"
    return f"{file.card.name}, {file.card.scheme}, {size}{accuracy}"
