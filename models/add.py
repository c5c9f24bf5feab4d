"""Add the int8 model of a run folder to the models that can be asked for by name.

    uv run python models/add.py runs/digits-s-seed-1
    uv run python models/add.py runs/digits-m-seed-0 --default

The model gets the name of its recipe, and its card says what is granted for it. It is evaluated on its test pictures,
and the evaluation is put beside it. With ``--default`` the model goes into the runtime package, to be used when no
model is named, and only its evaluation is put here. The evaluation names the sha256 of its model and is written first,
so that an old model and a new evaluation are never taken for a pair.
"""

import argparse
import dataclasses
from pathlib import Path

from edge_digits_runtime import DigitClassifier
from edge_digits_runtime.model.card import append_card, read_model_file
from edge_digits_runtime.model.registry import DEFAULT_MODEL, EVALUATION_SUFFIX, PACKAGE
from edge_digits_runtime.records import files
from edge_digits_runtime.records.run import RunRecord

from edge_digits.data_sets import load_data_of
from edge_digits.deploy.bundle import check_data, find_model
from edge_digits.pipeline import evaluate_model

LICENCE = "MIT"
"""What is granted for the models that ship here, see NOTICE.md."""
FOLDER = Path(__file__).parent / PACKAGE


def main() -> None:
    """Evaluate and copy."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument("--default", action="store_true", help="make it the default of the runtime")
    options = parser.parse_args()
    print(add(options.run, DEFAULT_MODEL if options.default else None))


def add(run: Path, target: Path | None = None, folder: Path = FOLDER) -> Path:
    """Copy the int8 model of ``run`` to ``target``, by default into ``folder``, and its evaluation into ``folder``."""
    record = RunRecord.load(run)
    model, dataset = find_model(run, "int8"), load_data_of(record, test_only=True)
    check_data(record.name, record.data["sha256"]["test"], dataset)
    target = target or folder / f"{record.name}.tflite"
    file = read_model_file(model)
    assert file.card is not None
    licensed = append_card(file.content[: file.flatbuffer_bytes], dataclasses.replace(file.card, licence=LICENCE))
    evaluate_model(DigitClassifier(licensed), dataset, folder / f"{record.name}{EVALUATION_SUFFIX}")
    files.write_bytes(target, licensed)
    return target


if __name__ == "__main__":
    main()
