"""Lines are made from a seed: the same anywhere, legible, with labels that a reader can give."""

from pathlib import Path

import numpy as np
import pytest
from edge_digits_train.lines import generator, grammar, library, makers, photo
from edge_digits_train.lines.charset import BLANK, LABELS, LONGEST, encode, label_of
from edge_digits_train.lines.library import MNIST, MNIST_HELD_OUT, Library


def test_a_line_follows_from_its_seed_and_number_alone(library_folder: Path, stored: Library) -> None:
    with makers.line_maker(1, library_folder) as maker:
        lines = maker.make(6, seed=4, first=10)
        again = maker.make(3, seed=4, first=13)
        other = maker.make(6, seed=5, first=10)
    np.testing.assert_array_equal(lines.pictures[3:], again.pictures)
    assert lines.labels[3:] == again.labels
    assert lines.labels != other.labels
    picture, label = generator.make_line(4, 12, stored)
    np.testing.assert_array_equal(picture, lines.pictures[2])
    assert label == lines.labels[2]


def test_other_processes_make_the_same_lines(library_folder: Path) -> None:
    with makers.line_maker(1, library_folder) as maker:
        expected = maker.make(300, seed=1)
    with makers.line_maker(2, library_folder) as maker:
        lines = maker.make(300, seed=1)
    np.testing.assert_array_equal(lines.pictures, expected.pictures)
    assert lines.labels == expected.labels


def test_pictures_and_labels_fit_the_network(library_folder: Path) -> None:
    with makers.line_maker(1, library_folder) as maker:
        lines = maker.make(400, seed=2)
    assert lines.pictures.shape == (400, 32, 264)
    assert lines.pictures.dtype == np.uint8
    # The ground is light, whatever the polarity of the picture.
    assert (np.median(lines.pictures, axis=(1, 2)) > 100).mean() > 0.97
    assert all(len(encode(label)) <= LONGEST for label in lines.labels)
    assert max(max(encode(label), default=0) for label in lines.labels) < BLANK
    assert "" in lines.labels
    # Every digit and sign comes up, and so do words.
    assert set("".join(lines.labels)) == set(LABELS)


def test_no_lines_can_be_asked_for(library_folder: Path) -> None:
    with makers.line_maker(1, library_folder) as maker:
        assert maker.make(0, seed=2).pictures.shape == (0, 32, 264)


def test_held_out_lines_share_no_writer_font_or_meter(library_folder: Path, stored: Library) -> None:
    held_out = library.load(library_folder, True)
    assert held_out.held_out
    assert not set(held_out.by_label[MNIST_HELD_OUT, 3].tolist()) & set(stored.by_label[MNIST, 3].tolist())
    families = [
        {
            name.rsplit(" ", 1)[0]
            for name, out in zip(stored.faces.names, stored.faces.held_out, strict=True)
            if out == side
        }
        for side in (True, False)
    ]
    assert families[0]
    assert not families[0] & families[1]
    assert not set(held_out.wheel_meters.tolist()) & set(stored.wheel_meters.tolist())


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("12.5", "12.5"),
        ("12.5 kg", "12.5?"),
        ("No. 7", "?7"),
        ("Tel: 030/123", "?030/123"),
        ("3*4=12", "3×4=12"),
        ("abc def", "?"),
        ("A-12", "?-12"),
        ("12-A", "12-?"),
        ("1a2", "1?2"),
        ("5 - 3", "5 - 3"),
        ("", ""),
    ],
)
def test_labels_of_texts(text: str, label: str) -> None:
    assert label_of(text) == label


def test_texts_are_of_all_kinds_and_no_longer_than_asked() -> None:
    rng = np.random.default_rng(0)
    texts = [grammar.text(rng, 18) for _ in range(2000)]
    assert all(0 < len(text) <= 18 for text in texts)
    for part in ("-1", ".", ",", ":", "/", "+", "%", "€", "$", "£", "(", "=", "×", " ", "00"):
        assert any(part in text for text in texts), part


@pytest.mark.parametrize("size", [0.0, 0.4, 3.0, 64.0])
def test_a_photograph_of_digits_of_any_size_can_be_taken(stored: Library, size: float) -> None:
    grey = np.tile(np.linspace(0, 255, 90, dtype=np.float32), (64, 1))
    for seed in range(40):
        picture = photo.camera(grey, np.random.default_rng(seed), stored.noise, size)
        assert picture.dtype == np.uint8
        assert min(picture.shape) >= 4


def test_a_line_of_nothing_but_a_comma_has_the_height_of_digits(stored: Library) -> None:
    found = generator._printed(np.random.default_rng(0), stored, ",", 30.0)
    assert found.written.base - found.written.top == 30
