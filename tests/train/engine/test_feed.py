"""How arrays of pictures reach Keras."""

import numpy as np
import pytest
from edge_digits_train.engine.feed import feed, pixels
from edge_digits_train.engine.keras_session import keras


@pytest.fixture(scope="module")
def model() -> keras.Model:
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(3, activation="softmax")])
    model.compile(loss="mse", optimizer="sgd")
    return model


def test_pixels_are_shares_of_255() -> None:
    image = np.zeros((1, 28, 28), np.uint8)
    image[0, 3, 4], image[0, 5, 6] = 255, 51
    found = pixels(image)
    assert (found.shape, found.dtype) == ((1, 28, 28, 1), np.float32)
    assert (found[0, 3, 4, 0], found[0, 5, 6, 0], found.sum()) == (1.0, np.float32(0.2), np.float32(1.2))


def test_batches_are_cut_from_the_arrays_in_order(model: keras.Model) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.random((25, 4), np.float32), rng.random((25, 3), np.float32)
    fed = model.predict(**feed(10, x), verbose=0)
    assert fed.shape == (25, 3)
    np.testing.assert_array_equal(fed, model.predict(x, batch_size=10, verbose=0))
    assert model.evaluate(**feed(10, x, y), verbose=0) == model.evaluate(x, y, batch_size=10, verbose=0)


def test_the_autotuner_is_off() -> None:
    # A tuner would make each epoch wait for up to as long as it took.
    (dataset,) = feed(10, np.zeros((25, 4), np.float32)).values()
    assert dataset.options().autotune.enabled is False
    assert [len(batch) for (batch,) in dataset] == [10, 10, 5]


def test_other_backends_take_the_arrays_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    x, y = np.zeros((25, 4), np.float32), np.ones(25, np.float32)
    assert feed(10, x) == {"x": x, "batch_size": 10}
    both = feed(10, x, y)
    assert both["y"] is y
    assert set(both) == {"x", "y", "batch_size"}
