"""The packed optdigits pictures, and the frame of MNIST that they are brought into."""

import lzma
from pathlib import Path

import numpy as np
import pytest
from edge_digits_runtime.data.datasets import Split
from edge_digits_runtime.errors import DataError
from edge_digits_runtime.image.picture import digit_pixels
from edge_digits_train.data import mnist, optdigits, packed
from PIL import Image


def centre(images: np.ndarray) -> np.ndarray:
    """Centre of mass (x, y) of each picture, shape (n, 2)."""
    place, total = np.arange(28), images.sum(axis=(1, 2), dtype=np.float64)
    return np.stack([images.sum(axis=1) @ place, images.sum(axis=2) @ place], axis=1) / total[:, None]


def test_all_pictures_and_labels_are_there() -> None:
    split = optdigits.load()
    assert (split.images.shape, split.images.dtype) == ((1934, 28, 28), np.uint8)
    # The counts by class in the data set's own description, of its 1,934 training pictures.
    assert np.bincount(split.labels).tolist() == [189, 198, 195, 199, 186, 187, 195, 201, 180, 204]


def test_the_pictures_are_in_the_frame_of_mnist() -> None:
    images = optdigits.load().images
    rows, columns = images.any(axis=2).sum(axis=1), images.any(axis=1).sum(axis=1)
    assert np.maximum(rows, columns).max() <= 20
    assert np.maximum(rows, columns).min() >= 19
    assert np.abs(centre(images) - 14).max() <= 0.51
    assert images.mean() == pytest.approx(mnist.load().train.images.mean(), rel=0.25)


def test_training_sees_what_a_device_makes_of_the_same_picture() -> None:
    published, _ = packed.read(optdigits._PACKED, optdigits.COUNT, 32 * 32 // 8)
    some = slice(None, None, 10)
    bits = np.unpackbits(published, axis=1).reshape(-1, 32, 32)[some]
    on_device = np.stack([digit_pixels(Image.fromarray(picture * np.uint8(255))).pixels for picture in bits])
    apart = np.abs(on_device.astype(int) - optdigits.load().images[some]).max(axis=(1, 2))
    # White paper is 254 or 255 there. A few have a speck, which a device leaves out.
    assert np.mean(apart <= 3) > 0.97


def test_mix_appends_the_pictures_as_often_as_asked() -> None:
    training = Split(np.ones((5, 28, 28), np.uint8), np.arange(5, dtype=np.uint8))
    more = optdigits.load()
    mixed = optdigits.mix(training, 2)
    assert len(mixed) == 5 + 2 * len(more)
    np.testing.assert_array_equal(mixed.images[:5], training.images)
    np.testing.assert_array_equal(mixed.images[5 + len(more) :], more.images)
    np.testing.assert_array_equal(mixed.labels[5 + len(more) :], more.labels)
    assert optdigits.mix(training, 0) is training


@pytest.mark.parametrize("content", [None, b"not lzma", lzma.compress(b"short")])
def test_a_damaged_file_is_named(content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pack = tmp_path / "optdigits.xz"
    if content is not None:
        pack.write_bytes(content)
    monkeypatch.setattr(optdigits, "_PACKED", pack)
    with pytest.raises(DataError, match=r"optdigits\.xz: .*install edge-digits-train again"):
        optdigits.load.__wrapped__()
