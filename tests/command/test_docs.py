"""The documentation says what the commands say."""

import importlib.util
import re
from pathlib import Path

import pytest

from edge_digits.cli import VERBS

ROOT = Path(__file__).parents[2]
PAGES = ["README.md", *(p.relative_to(ROOT).as_posix() for p in (ROOT / "docs").rglob("*.md"))]


def test_commands_page_is_what_help_prints() -> None:
    spec = importlib.util.spec_from_file_location("write_help", ROOT / "docs" / "reference" / "write_help.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    written = (ROOT / "docs" / "reference" / "commands.md").read_text(encoding="utf-8")
    assert written == module.text(), "run: uv run python docs/reference/write_help.py"


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files(page: str) -> None:
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", (ROOT / page).read_text(encoding="utf-8"))
    missing = [link for link in links if not (ROOT / page).parent.joinpath(link).exists()]
    assert missing == []


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_headings(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for target, anchor in re.findall(r"\]\((?!https?://)([^)#]*)#([^)]+)\)", text):
        file = (ROOT / page).parent / target if target else ROOT / page
        headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
        # As GitHub and GitLab make them.
        anchors = [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]
        assert anchor in anchors, f"{target}#{anchor}"


def test_readme_names_only_verbs_that_exist() -> None:
    named = set(
        re.findall(r"(?:uv run |bin/|\$ |`)edge-digits ([a-z]+)", (ROOT / "README.md").read_text(encoding="utf-8"))
    )
    assert named
    assert named <= set(VERBS)
