"""Measure how long the augmentation of one epoch takes, by setting.

    uv run python benchmarks/speed/augmenting.py

The times are processor time of one core for the 60,000 training pictures of MNIST.
"""

import dataclasses
import time

import numpy as np
from edge_digits_train.augment.augmentation import Augmentation, augment
from edge_digits_train.data import mnist

OFF = Augmentation(
    rotation=0,
    shear=0,
    width=(1.0, 1.0),
    height=(1.0, 1.0),
    translation=0,
    elastic=0,
    thicken=0,
    thin=0,
    blur=0,
    contrast=0,
    tone=0,
    clean=0,
)
SETTINGS = {
    "the lookup alone": OFF,
    "with pen width": dataclasses.replace(OFF, thicken=0.6, thin=0.5),
    "with blur": dataclasses.replace(OFF, blur=0.5),
    "with noise": dataclasses.replace(OFF, noise=10),
    "with other written forms": dataclasses.replace(
        OFF, upstroke_one=0.2, short_four=0.1, crossed_seven=0.15, hooked_nine=0.1
    ),
    "the default": Augmentation(),
}


def main() -> None:
    """Print a table with a row for each setting."""
    train = mnist.load().train
    print("| setting | s for 60,000 pictures | µs a picture |\n|---|---|---|")
    for name, settings in SETTINGS.items():
        seconds = min(_seconds(train.images, train.labels, settings) for _ in range(3))
        print(f"| {name} | {seconds:.2f} | {seconds / len(train) * 1e6:.0f} |")


def _seconds(images: np.ndarray, labels: np.ndarray, settings: Augmentation) -> float:
    rng = np.random.default_rng(0)
    start = time.process_time()
    augment(images, rng, settings, labels)
    return time.process_time() - start


if __name__ == "__main__":
    main()
