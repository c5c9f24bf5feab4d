"""The bundle for a Raspberry Pi Pico: one ZIP with the C of a model, its self-test on test pictures, and checksums."""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from edge_digits_runtime.data.datasets import DataSet
from edge_digits_runtime.records import files

from edge_digits.deploy import wheels

FOLDER = "edge-digits-pico"
"""The only folder at the top of the ZIP."""
_PICTURES = 10


@dataclass(frozen=True)
class PicoBundle:
    """A bundle in memory."""

    content: bytes
    """Content of the ZIP."""
    name: str
    """Name of the recipe."""
    buffer_bytes: int
    """RAM that the network takes beside the stack, in bytes."""
    weight_bytes: int
    """Flash that its weights take, in bytes."""

    def __str__(self) -> str:
        return (
            f"{self.name} in C for a Pico, {self.weight_bytes:,} bytes of weights and {self.buffer_bytes:,} bytes of "
            f"RAM, {len(self.content):,} bytes in all"
        )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the ZIP, whole or not at all."""
        files.write_bytes(path, self.content)


def make_pico_bundle(model: Path, dataset: DataSet, require_signature: Path | None = None) -> PicoBundle:
    """Export ``model`` and pack the folder; the same model and pictures give the same bytes.

    Args:
        model: path of an int8 ``.tflite``.
        dataset: data set whose first test pictures are the self-test.
        require_signature: file of the public key that the model must be signed with; None if it need not be.

    Raises:
        ModelError, ChecksumError, SignatureError, UsageError: as in `edge_digits_convert.microcontroller.export`.
    """
    from edge_digits_convert.microcontroller import export

    pictures = np.ascontiguousarray(dataset.test.images[:_PICTURES])
    with tempfile.TemporaryDirectory() as scratch:
        made = export(
            model,
            Path(scratch) / FOLDER,
            pictures,
            f"Test pictures of {dataset.name}.",
            require_signature=require_signature,
        )
        paths = sorted(path for path in made.path.rglob("*") if path.is_file())
        content = {path.relative_to(made.path).as_posix(): path.read_bytes() for path in paths}
    packed = wheels.folder_with_checksums(FOLDER, content)
    return PicoBundle(packed, made.card.name, made.plan.size, made.network.weight_bytes)
