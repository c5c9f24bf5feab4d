"""Make the run folder of a line reader whose weights were trained by another program than this one.

    git show bb8b46e:models/source/line-m.keras > line-m.keras
    uv run python models/adopt_line_weights.py line-m line-m.keras models/source/line-m

So were the weights of line-s and line-m: on a GPU with JAX, both at once from the same batches, against the clock. The
program drew its batches from a pool of lines in the memory of the GPU, moved each by up to 3 columns and a row, and
changed its greys and grain a little. Here the statistics of batch normalization are measured anew, and both are read
by `edge-digits convert` and `edge-digits train --from`.
"""

import argparse
import dataclasses
import datetime
import hashlib
from pathlib import Path

from edge_digits_runtime.records import files
from edge_digits_runtime.records.line_run import LineRunRecord
from edge_digits_runtime.records.run import MODEL
from edge_digits_train.engine import line_model
from edge_digits_train.engine.keras_model import weights_sha256
from edge_digits_train.engine.keras_session import keras
from edge_digits_train.engine.line_training import VALIDATION_SEED, exact_share, write_evaluation
from edge_digits_train.lines import library
from edge_digits_train.lines.makers import held_out_lines, line_maker
from edge_digits_train.recipes.line_recipe import LINE_RECIPES

SEED = 1
SETTLING_LINES = 4_096
LINES = 777_984
ORIGIN = (
    "trained for 165 s on one NVIDIA H200 with JAX, seed 1: 5,200 steps of 512 lines drawn from 777,984 made lines; "
    f"batch normalization measured on {SETTLING_LINES:,} made lines"
)
DEVICE = {
    "name": "NVIDIA H200",
    "machine": "x86_64",
    "python": "3.12",
    "backend": "keras 3.15.1 on jax 0.11.2",
    "kind": "GPU",
}
LOSSES = {
    "line-m": [
        *(39.282, 2.747, 2.033, 1.722, 1.571, 1.478, 1.369, 1.310),
        *(1.260, 1.201, 1.150, 1.119, 1.089, 1.072, 1.025, 1.002),
    ],
    "line-s": [
        *(49.421, 4.040, 3.089, 2.713, 2.526, 2.421, 2.304, 2.232),
        *(2.174, 2.106, 2.043, 2.020, 1.978, 1.964, 1.906, 1.889),
    ],
}
"""Mean CTC loss of the last 320 steps, after each 320 steps."""


def main() -> None:
    """Write the run folder and say how many lines are read right before and after."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", choices=LINE_RECIPES)
    parser.add_argument("weights", type=Path)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    base = LINE_RECIPES[options.recipe]
    # 100 epochs of 52 steps; the other program had one epoch of 5,200.
    recipe = dataclasses.replace(base, seed=SEED, batch_size=512, lines=52 * 512, epochs=100)
    model = line_model.build(recipe)
    model.set_weights(keras.models.load_model(options.weights, compile=False).get_weights())
    with line_maker(1) as maker:
        validation = maker.make(recipe.validation_lines, VALIDATION_SEED, held_out=True)
        lines = maker.make(SETTLING_LINES, SEED)
    before = exact_share(model, validation)
    line_model.settle(model, lines.pictures)
    exact = exact_share(model, validation)
    print(f"{recipe.name}: {before:.4f} of the validation lines right, {exact:.4f} once settled")
    with files.replacing(options.folder / MODEL) as temporary:
        model.save(temporary)
    write_evaluation(options.folder, recipe.name, model, held_out_lines())
    LineRunRecord(
        recipe=recipe.to_dict(),
        generator=library.VERSION,
        lines=LINES,
        weights_sha256=weights_sha256(model),
        model_sha256=hashlib.sha256((options.folder / MODEL).read_bytes()).hexdigest(),
        device=DEVICE,
        versions={"keras": "3.15.1", "jax": "0.11.2"},
        history={"loss": LOSSES[recipe.name], "val_exact": [exact], "seconds": [165.0]},
        exact=exact,
        validation_lines=recipe.validation_lines,
        parameters=recipe.parameters,
        macs=recipe.macs,
        origin=ORIGIN,
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    ).save(options.folder)


if __name__ == "__main__":
    main()
