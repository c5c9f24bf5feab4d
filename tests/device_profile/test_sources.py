"""Names for drawings of pictures are short, differ for different pictures, and suit every file system."""

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edge_digits.printing import printable
from edge_digits.sources import STDIN, flat_name

PART = st.text(
    st.sampled_from("ab-.7é/\n\udce9:0") | st.characters(blacklist_characters="\0"), min_size=1, max_size=120
)
PATH = st.lists(PART | st.sampled_from(["..", "a", "7.png", "-", "--", "stdin"]), min_size=1, max_size=4).map("/".join)


@given(st.lists(PATH, min_size=2, max_size=6, unique_by=lambda name: (name == STDIN, Path(name))))
@example(["7.png", "../7.png", "../../7.png", "/7.png"])
@example(["a/b", "a--b", "a-/b", "a/-b", "a---b"])
@example(["stdin", "-", "./-"])
@example(["a:b", "a_b", "a?b"])
@example([f"{'n' * 200}/7.png", f"{'n' * 201}/7.png", f"{'m' * 200}/7.png"])
@example(["7.png", flat_name("../7.png")])
def test_different_pictures_have_different_names_that_every_file_system_takes(names: list[str]) -> None:
    flat = [flat_name(name) for name in names]
    assert len(set(flat)) == len(names)
    for name in flat:
        assert 0 < len(name.encode()) <= 100
        assert name.isprintable()
        assert not set(name) & set('<>:"/\\|?*')


@pytest.mark.parametrize(
    ("name", "flat"),
    [("7.png", "7.png"), ("scans/7.png", "scans--7.png"), ("./scans//7.png", "scans--7.png"), ("-", "stdin")],
)
def test_an_ordinary_name_is_kept(name: str, flat: str) -> None:
    assert flat_name(name) == flat


def test_any_other_path_keeps_its_end() -> None:
    for name in ("../7.png", "/home/pi/scans/7.png", f"{'n' * 300}/7.png"):
        assert "7.png--" in flat_name(name)


@given(st.text())
def test_printable_text_is_one_line_and_otherwise_unchanged(text: str) -> None:
    assert printable(text).isprintable()
    if text.isprintable():
        assert printable(text) == text
