"""A line from its pixels to its text: preparation, decoding, tidying; hand-made logits."""

import itertools

import numpy as np
import pytest
from edge_digits_runtime.image.line import HEIGHT, WIDTH, prepare_line
from edge_digits_runtime.page import line
from edge_digits_runtime.page.decoding import decode, decode_within, tidy
from edge_digits_runtime.page.formats import Format
from numpy.typing import NDArray

LABELS = ("1", "2", " ", "?")
BLANK = 4


def table(steps: str, likely: float = 10.0) -> NDArray[np.float32]:
    """Return logits for ``steps``, one label each; ``_`` is the blank."""
    logits = np.zeros((len(steps), 5), np.float32)
    for row, step in enumerate(steps):
        logits[row, BLANK if step == "_" else LABELS.index(step)] = likely
    return logits


@pytest.mark.parametrize(
    ("steps", "text"),
    [
        ("______", ""),
        ("1_2", "12"),
        ("11_222_", "12"),
        ("1_1", "11"),
        ("111", "1"),
        ("_1__ _2_", "1 2"),
        (" 1 _ 2 ", "1 2"),
        ("1_ _?_ _?", "1?"),
        ("?_1_ _?_ _2", "?1?2"),
        ("1221", "121"),
    ],
)
def test_equal_neighbours_are_joined_and_blanks_left_out(steps: str, text: str) -> None:
    decoded = decode(table(steps), LABELS)
    assert decoded.text == text
    assert len(decoded.steps) == len(text)


def test_steps_are_those_of_each_character() -> None:
    assert [step[:2] for step in decode(table("_11__2"), LABELS).steps] == [(1, 3), (5, 6)]


def probability(shares: NDArray[np.float64], text: str) -> float:
    """Add up the probabilities of all paths that are read as ``text``, before it is tidied."""
    total = 0.0
    for path in itertools.product(range(5), repeat=len(shares)):
        joined = [label for label, _ in itertools.groupby(path)]
        if "".join(LABELS[label] for label in joined if label != BLANK) == text:
            total += float(np.prod([row[label] for row, label in zip(shares, path, strict=True)]))
    return total


@pytest.mark.parametrize("temperature", [0.7, 1.0, 2.0])
@pytest.mark.parametrize("seed", range(12))
def test_confidence_is_the_probability_of_the_text(seed: int, temperature: float) -> None:
    logits = np.random.default_rng(seed).normal(0, 2, (5, 5)).astype(np.float32)
    shares = np.exp(logits.astype(float) / temperature)
    shares /= shares.sum(axis=1, keepdims=True)
    best = [label for label, _ in itertools.groupby(logits.argmax(axis=1).tolist())]
    raw = "".join(LABELS[label] for label in best if label != BLANK)
    decoded = decode(logits, LABELS, temperature)
    assert decoded.text == tidy(raw)
    assert decoded.confidence == pytest.approx(probability(shares, raw))


@pytest.mark.parametrize("steps", ["_____", "1_1__", "11_22"])
def test_a_sure_text_has_confidence_1(steps: str) -> None:
    assert decode(table(steps, 40.0), LABELS).confidence == pytest.approx(1)


def test_a_character_has_the_probability_of_its_surest_step() -> None:
    logits = table("_11_", 20.0)
    logits[1] = [2.0, 0, 0, 0, 0]
    logits[2] = [3.0, 0, 0, 0, 0]
    assert decode(logits, LABELS).steps[0] == (1, 3, pytest.approx(np.exp(3) / (np.exp(3) + 4)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("  ", ""),
        (" 1  2 ", "1 2"),
        ("1 ?", "1?"),
        ("? ? ?", "?"),
        ("? 1", "?1"),
        (" ?", "?"),
        ("1 ? ? 2", "1?2"),
    ],
)
def test_tidying(text: str, expected: str) -> None:
    assert tidy(text) == expected
    assert tidy(expected) == expected


def gradient(height: int, width: int) -> NDArray[np.uint8]:
    picture = np.full((height, width), 200, np.uint8)
    picture[height // 4 : height // 2, width // 4 : width // 2] = 40
    return picture


@pytest.mark.parametrize("shape", [(1, 1), (5, 400), (32, 264), (64, 90), (200, 3), (33, 2000)])
def test_any_size_becomes_that_of_the_input(shape: tuple[int, int]) -> None:
    prepared = prepare_line(gradient(*shape))
    assert prepared.shape == (HEIGHT, WIDTH)
    assert prepared.dtype == np.uint8


def test_light_on_dark_becomes_dark_on_light() -> None:
    picture = gradient(64, 100)
    np.testing.assert_allclose(prepare_line(picture).astype(int), prepare_line(255 - picture).astype(int), atol=3)


def test_contrast_is_stretched_and_the_ground_continued_to_the_right() -> None:
    prepared = prepare_line((gradient(64, 100) // 4 + 90).astype(np.uint8))
    assert prepared.min() == 0
    assert prepared.max() == 255
    assert (prepared[:, 50:] == 255).all()


def test_a_picture_without_contrast_is_plain_ground() -> None:
    for level in (0, 128, 255):
        assert (prepare_line(np.full((40, 80), level, np.uint8)) == 255).all()


def test_noise_is_not_stretched_to_ink() -> None:
    noise = np.random.default_rng(0).integers(120, 124, (64, 200)).astype(np.uint8)
    assert prepare_line(noise).min() > 150


def test_boxes_lie_side_by_side_where_the_characters_are() -> None:
    # A step is three columns of the input, 12 of this picture, which is four times as high.
    gray = np.zeros((128, 528), np.uint8)
    steps = table("".join(c * 11 for c in "_1_2"))
    characters = line._characters(decode(steps, LABELS), gray)
    assert [character.text for character in characters] == ["1", "2"]
    first, second = (character.box for character in characters)
    middles = 1.5 * 132, 3.5 * 132
    assert first == (round(middles[0]) - 64, 0, 128, 128)
    assert second[0] == round(middles[1]) - 64
    assert second[0] + second[2] == min(round(middles[1]) + 64, 528)


def test_a_format_decides_between_two_readings() -> None:
    logits = table("1_2_")
    # As likely a 2 as a 1.
    logits[0, LABELS.index("2")] = 9.9
    for form, text in (("12", "12"), ("2\\d", "22"), ("\\d\\d", "12")):
        decoded = decode_within(logits, LABELS, Format(form))
        assert decoded is not None
        assert decoded.text == text
        assert [steps[:2] for steps in decoded.steps] == [(0, 1), (2, 3)]
    assert decode_within(logits, LABELS, Format("1{5}")) is None


def test_within_any_format_the_text_and_its_confidence_are_those_of_all_ways_to_write_it() -> None:
    rng = np.random.default_rng(4)
    logits = rng.normal(0, 3, (5, 5)).astype(np.float32)
    shares = np.exp(logits.astype(np.float64))
    shares /= shares.sum(1, keepdims=True)
    chances: dict[str, float] = {}
    for path in itertools.product(range(5), repeat=5):
        text = "".join(LABELS[k] for k, _ in itertools.groupby(path) if k != BLANK)
        chances[text] = chances.get(text, 0.0) + float(np.prod(shares[range(5), path]))
    form = Format("[12]+")
    best = max((text for text in chances if form.matches(text)), key=lambda text: chances[text])
    decoded = decode_within(logits, LABELS, form)
    assert decoded is not None
    assert decoded.text == best
    assert decoded.confidence == pytest.approx(chances[best])
