"""Compare three ways in which a network can say how far a wheel has turned, on meters that validate.

    uv run python benchmarks/accuracy/turn_heads.py --epochs 8

One network, the convolutions of meter-s, is trained with three outputs at once, so each has the very same features:

- ``classes``: 100 classes on a circle, the target smoothed; the likeliest is the answer. This is what the recipes do.
- ``digit and turn``: the digit that the wheel is leaving, 10 classes, and the tenths it has turned, 10 classes.
- ``circle``: a point on the circle of turns, cosine and sine, whose angle is the answer; least squares.

Validated on the ``validation_groups`` of the recipe, after each epoch. Written to docs/research/turn-heads.json.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from edge_digits_runtime.data import turns
from edge_digits_runtime.image.model_input import Input
from edge_digits_runtime.records import files
from edge_digits_train.data.splits import training_and_validation
from edge_digits_train.engine.epoch_data import label_targets, make_epoch_data
from edge_digits_train.engine.feed import pixels
from edge_digits_train.engine.keras_model import build
from edge_digits_train.engine.keras_session import keras
from edge_digits_train.meters import pictures
from edge_digits_train.recipes import catalogue
from numpy.typing import NDArray

RECORD = Path(__file__).parents[2] / "docs" / "research" / "turn-heads.json"
RECIPE = "meter-s"
WAYS = ("classes", "digit and turn", "circle")
Answers = dict[str, NDArray[np.intp]]


def main() -> None:
    """Train, validate and record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=8, help="[8]")
    parser.add_argument("--record", type=Path, default=RECORD, metavar="FILE", help="[docs/research/turn-heads.json]")
    options = parser.parse_args()
    print_table(compare(options.epochs, options.record))


def compare(epochs: int, record: Path) -> list[dict[str, Any]]:
    """Train for so many epochs; return and record the figures of each."""
    recipe = catalogue.get(RECIPE)
    training, validation = training_and_validation(recipe, pictures.load(Input("crop", *recipe.input_shape)))
    validation = validation.take(validation.labels < turns.COUNT)
    model = network(recipe.learning_rate, epochs * 300)
    history = []
    for epoch in range(epochs):
        data = make_epoch_data(recipe, epoch, training)
        kept = data.labels < turns.COUNT
        model.fit(pixels(data.images[kept]), targets(data.labels[kept]), batch_size=recipe.batch_size, verbose=0)
        history.append(figures(answers(model, pixels(validation.images)), validation.labels))
        files.write_json(record, {"recipe": RECIPE, "validation": len(validation), "epochs": history})
        print(epoch + 1, history[-1], flush=True)
    return history


def network(learning_rate: float, steps: int) -> Any:
    """Return the convolutions of the recipe with the outputs of all ways."""
    base = build(catalogue.get(RECIPE))
    features = base.layers[-2].output
    outputs = {
        "classes": keras.layers.Dense(turns.COUNT, name="classes")(features),
        "digit": keras.layers.Dense(10, name="digit")(features),
        "turn": keras.layers.Dense(10, name="turn")(features),
        "circle": keras.layers.Dense(2, name="circle")(features),
    }
    model = keras.Model(base.inputs, outputs)
    entropy = keras.losses.CategoricalCrossentropy(from_logits=True)
    losses = {"classes": entropy, "digit": entropy, "turn": entropy, "circle": "mse"}
    rate = keras.optimizers.schedules.CosineDecay(learning_rate, steps)
    # Each way counts alike: a squared distance is far smaller than an entropy.
    weights = {"classes": 1.0, "digit": 0.5, "turn": 0.5, "circle": 5.0}
    model.compile(keras.optimizers.Adam(rate), loss=losses, loss_weights=weights)
    return model


def targets(labels: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
    """Return what each output is to answer."""
    angle = 2 * np.pi * labels / turns.COUNT
    return {
        "classes": label_targets(labels, turns.COUNT, catalogue.get(RECIPE).turn_smoothing),
        "digit": np.eye(10, dtype=np.float32)[labels // 10],
        "turn": np.eye(10, dtype=np.float32)[labels % 10],
        "circle": np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32),
    }


def answers(model: Any, images: Any) -> Answers:
    """Return the tenths that each way answers."""
    found = model.predict(images, batch_size=500, verbose=0)
    cosine, sine = found["circle"].T
    angle = np.arctan2(sine, cosine) / (2 * np.pi) * turns.COUNT
    return {
        "classes": found["classes"].argmax(axis=1),
        "digit and turn": 10 * found["digit"].argmax(axis=1) + found["turn"].argmax(axis=1),
        "circle": np.rint(angle).astype(np.intp) % turns.COUNT,
    }


def figures(found: Answers, labels: NDArray[np.uint8]) -> dict[str, dict[str, float]]:
    """Return for each way the share of right digits that rest, of wheels within a tenth, and of those a digit off."""
    rests = turns.rests(labels)
    shown = turns.shown_index(turns.TENTHS)
    return {
        way: {
            "resting": float((shown[labels] == shown[tenths])[rests].mean()),
            "near": float((turns.apart(labels, tenths) <= turns.NEAR).mean()),
            "half a digit off or more": float((turns.apart(labels, tenths) >= turns.COUNT // 20).mean()),
        }
        for way, tenths in found.items()
    }


def print_table(history: list[dict[str, Any]]) -> None:
    """Print the last epoch as Markdown."""
    print("| way | digits that rest | within a tenth | half a digit off or more |")
    print("|---|--:|--:|--:|")
    for way in WAYS:
        print(f"| {way} | {' | '.join(f'{100 * value:.1f} %' for value in history[-1][way].values())} |")


if __name__ == "__main__":
    main()
