"""Make ``train/edge_digits_train/engine/teachers.npz`` from the int8 models of run folders.

    uv run python benchmarks/accuracy/family.py digits-m-alone digits-l-alone --seeds 0 1 2
    uv run python benchmarks/packing/pack_teachers.py runs/digits-[ml]-alone-seed-[012]

The file holds the flatbuffer of each ``.tflite``, without its card, under the name of its run folder.
"""

import argparse
import io
from pathlib import Path

import edge_digits_train
import numpy as np
from edge_digits_runtime.model.card import read_model_file
from edge_digits_runtime.records import files

from edge_digits.deploy.bundle import find_model


def main() -> None:
    """Read the models, and write them into one file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", metavar="RUN", type=Path)
    options = parser.parse_args()
    models = {}
    for run in options.runs:
        model = read_model_file(find_model(run, "int8"))
        models[run.name] = np.frombuffer(model.content[: model.flatbuffer_bytes], np.uint8)
    packed = io.BytesIO()
    np.savez_compressed(packed, **models)
    target = Path(edge_digits_train.__file__).parent / "engine" / "teachers.npz"
    files.write_bytes(target, packed.getvalue())
    print(f"{target}: {len(models)} models, {target.stat().st_size} bytes")


if __name__ == "__main__":
    main()
