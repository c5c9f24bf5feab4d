"""Made pages: the same from the same seed, with targets where numbers are, and what the row finder learns from them."""

import numpy as np
import pytest
from edge_digits_train.engine import line_model
from edge_digits_train.engine.keras_session import keras
from edge_digits_train.engine.line_training import number_f1
from edge_digits_train.lines import page_items, pages
from edge_digits_train.lines.library import Library
from edge_digits_train.lines.page_sheet import IGNORED, LEVEL, NO_HEIGHT, NOTHING, OTHER, SIDEWAYS, Cutting, Sheet
from edge_digits_train.lines.pages import Pages
from edge_digits_train.recipes.line_recipe import ROW_OUTPUTS


def test_pages_are_those_of_their_seed(stored: Library) -> None:
    one, same, other = (Pages.made(stored, seed, 0, 6) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one.pictures, same.pictures)
    np.testing.assert_array_equal(one.targets, same.targets)
    assert not np.array_equal(one.pictures, other.pictures)
    assert one.pictures.shape == (6, pages.SIDE, pages.SIDE)
    assert one.targets.shape == (6, pages.SIDE // 8, pages.SIDE // 8, 16, 2)
    assert set(np.unique(one.targets[..., 0])) <= set(range(IGNORED, SIDEWAYS + 1))


def test_pages_are_joined_in_their_order(stored: Library) -> None:
    parts = [Pages.made(stored, seed, 0, 2) for seed in (1, 2)]
    joined = Pages.joined(parts)
    assert len(joined) == 4
    np.testing.assert_array_equal(joined.pictures[2:], parts[1].pictures)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("12.5", "nnnn"),
        ("12.5 kg", "nnnn.."),
        ("12.5kg", "nnnn.."),
        ("No 7", "..n"),
        ("A4", ".."),
        ("3 + 4", "nnn"),
        ("abc", "..."),
        ("- 3", "nn"),
        ("a - b", "..."),
        ("7 Uhr", "n..."),
        ("+", "n"),
    ],
)
def test_what_of_a_text_is_a_number(text: str, numbers: str) -> None:
    assert "".join("n" if number else "." for number in page_items.numbers_in(text)) == numbers


def test_the_class_of_a_number_stands_in_the_middle_of_its_digits() -> None:
    item = page_items.Item(np.full((40, 60), 255, np.uint8), 0, 40, ((0, 60, True),), True)
    sheet = Sheet(20.0, 128)
    end = sheet.put(item, 32, 64, 20.0)
    assert end == pytest.approx(62, abs=1)
    rows, columns = np.nonzero(sheet.classes == LEVEL)
    # Digits from row 44 to row 64; their middle half.
    assert (rows.min(), rows.max()) == (49, 58)
    assert (columns.min(), columns.max()) == (32, 61)
    assert sheet.ink[44:64, 32:62].all()


def test_a_line_that_was_cut_out_says_where_its_number_is(stored: Library) -> None:
    shown = 0
    for number in range(40):
        cutting = Cutting.draw(np.random.default_rng((8, number)), stored)
        assert cutting.classes.shape == cutting.picture.shape
        rows = np.flatnonzero((cutting.classes == LEVEL).any(1))
        if len(rows):
            # The middle half of its digits; lines that were turned a little reach further up and down.
            assert 0.4 * cutting.size < rows[-1] - rows[0] + 1 < 1.1 * cutting.size
            shown += 1
    assert shown > 20


@pytest.mark.parametrize(
    ("size", "wanted"), [(4.0, NOTHING), (7.0, IGNORED), (20.0, LEVEL), (26.0, IGNORED), (40.0, NOTHING)]
)
def test_digits_that_are_too_small_or_too_large_are_not_to_be_found(size: float, wanted: int) -> None:
    classes, heights = np.zeros((2, 256, 256), np.uint8)
    classes[100:140, 100:140] = LEVEL
    heights[100:140, 100:140] = round(128 + 32 * np.log2(size / 16))
    rng = np.random.default_rng(0)
    _, target = pages._turned(rng, np.zeros((256, 256), np.uint8), classes, heights)
    found = set(np.unique(target[..., 0])) - {NOTHING}
    # Where it is to be found, its class says whether the page was turned onto its side.
    assert found == {LEVEL: found & {LEVEL, SIDEWAYS}, NOTHING: set()}.get(wanted, {wanted})
    assert bool(found) is (wanted != NOTHING)
    # Its height is learned in any case.
    heights_of_parts = target[..., 1][target[..., 1] > NO_HEIGHT]
    assert len(heights_of_parts) == 20 * 20
    np.testing.assert_allclose(16 * 2 ** (heights_of_parts / 32), size, rtol=0.02)


def test_the_loss_is_least_and_the_score_best_where_all_is_right() -> None:
    rng = np.random.default_rng(0)
    targets = np.stack([rng.integers(-1, 4, (2, 4, 4, 16)), rng.integers(-40, 40, (2, 4, 4, 16))], -1).astype(np.int8)
    outputs = np.zeros((2, 4, 4, 16, ROW_OUTPUTS), np.float32)
    outputs[..., :-1] = 20 * (np.arange(4) == np.maximum(targets[..., :1], 0))
    outputs[..., -1] = targets[..., 1] / 32
    right = outputs.reshape(2, 4, 4, -1)
    wrong = right.copy()
    wrong[..., OTHER] += 40
    targets[0, 0, 0, :, 1] = NO_HEIGHT
    losses = [keras.ops.convert_to_numpy(line_model.row_loss(targets, each)) for each in (right, wrong)]
    assert losses[0].max() < 1e-3
    assert (losses[1] > 0.1).all()
    # What is ignored does not count.
    assert number_f1(right, targets) == 1.0
    assert number_f1(np.zeros_like(right), targets) == 0.0
