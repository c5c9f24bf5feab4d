"""The packed handwriting, and the form of MNIST that it is given."""

import lzma
from pathlib import Path

import numpy as np
import pytest
from edge_digits_runtime.datasets import Split
from edge_digits_runtime.errors import DataError
from edge_digits_train import handwriting, mnist


def centre(images: np.ndarray) -> np.ndarray:
    """Centre of mass (x, y) of each picture, shape (n, 2)."""
    place, total = np.arange(28), images.sum(axis=(1, 2), dtype=np.float64)
    return np.stack([images.sum(axis=1) @ place, images.sum(axis=2) @ place], axis=1) / total[:, None]


def test_every_picture_is_there_with_its_label() -> None:
    split = handwriting.load()
    assert (split.images.shape, split.images.dtype) == ((1934, 28, 28), np.uint8)
    # The counts by class in the data set's own description: of its 1,934 training pictures.
    assert np.bincount(split.labels).tolist() == [189, 198, 195, 199, 186, 187, 195, 201, 180, 204]


def test_the_pictures_have_the_form_of_mnist() -> None:
    images = handwriting.load().images
    rows, columns = images.any(axis=2).sum(axis=1), images.any(axis=1).sum(axis=1)
    assert np.maximum(rows, columns).max() <= 20
    assert np.maximum(rows, columns).min() >= 19
    assert np.abs(centre(images) - 14).max() <= 0.51
    assert images.mean() == pytest.approx(mnist.load().train.images.mean(), rel=0.25)


@pytest.mark.parametrize(
    ("height", "width", "wanted"), [(40, 40, (20, 20)), (10, 5, (20, 10)), (3, 60, (1, 20)), (1, 1, (20, 20))]
)
def test_the_larger_side_becomes_20_pixels(height: int, width: int, wanted: tuple[int, int]) -> None:
    image = np.zeros((64, 64), np.uint8)
    image[2 : 2 + height, 1 : 1 + width] = 255
    fitted = handwriting.fit(image)
    assert (fitted.any(axis=1).sum(), fitted.any(axis=0).sum()) == wanted
    assert centre(fitted[None])[0] == pytest.approx([14, 14], abs=0.51)


def test_mixing_puts_the_handwriting_behind_as_often_as_asked() -> None:
    training = Split(np.ones((5, 28, 28), np.uint8), np.arange(5, dtype=np.uint8))
    more = handwriting.load()
    mixed = handwriting.mix(training, 2)
    assert len(mixed) == 5 + 2 * len(more)
    np.testing.assert_array_equal(mixed.images[:5], training.images)
    np.testing.assert_array_equal(mixed.images[5 + len(more) :], more.images)
    np.testing.assert_array_equal(mixed.labels[5 + len(more) :], more.labels)
    assert handwriting.mix(training, 0) is training


@pytest.mark.parametrize("content", [None, b"not lzma", lzma.compress(b"short")])
def test_a_damaged_pack_is_named(content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pack = tmp_path / "optdigits.xz"
    if content is not None:
        pack.write_bytes(content)
    monkeypatch.setattr(handwriting, "_PACKED", pack)
    with pytest.raises(DataError, match=r"optdigits\.xz: .*install edge-digits-train again"):
        handwriting.load.__wrapped__()
