"""The documentation agrees with the code: help, formats, examples, links."""

import importlib.util
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from edge_digits_runtime.records.evaluation import Evaluation

from edge_digits.cli import VERBS

ROOT = Path(__file__).parents[2]
PAGES = ["README.md", *(p.relative_to(ROOT).as_posix() for p in (ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize(("page", "script"), [("commands", "write_help"), ("formats", "write_formats")])
def test_a_generated_page_is_what_its_script_would_write(page: str, script: str) -> None:
    written = (ROOT / "docs" / "reference" / f"{page}.md").read_text(encoding="utf-8")
    assert written == load(script).text(), f"run: uv run python docs/reference/{script}.py"


def test_formats_page_has_the_keys_of_an_evaluation(make_evaluation: Callable[..., Evaluation]) -> None:
    evaluation = make_evaluation([1, 2, 3], [1, 2, 8])
    assert set(load("write_formats").EVALUATION_KEYS) == set(evaluation.to_dict())


def load(script: str) -> Any:
    """Import a script of docs/reference, which is no package."""
    spec = importlib.util.spec_from_file_location(script, ROOT / "docs" / "reference" / f"{script}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").split()) <= 900


@pytest.mark.parametrize("page", ["README.md", "docs/guide/reading.md"])
def test_python_in_the_docs_gives_what_it_says(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    (code, *_) = re.findall(
        r"```python\n(from edge_digits_runtime import .*?)```", (ROOT / page).read_text(), re.DOTALL
    )
    lines = code.splitlines()
    values: dict[str, Any] = {"pixels": np.zeros((3, 28, 28), np.uint8)}
    checked = 0
    for line in filter(None, lines):
        expression, _, comment = line.partition("  # ")
        if comment.startswith("7, "):
            digit, confidence, sure = eval(expression, values)
            assert (str(digit), str(sure)) == (comment.split(", ")[0], comment.split(", ")[2])
            assert confidence == pytest.approx(float(comment.split(", ")[1]), abs=1e-3)
            checked += 1
        elif comment:
            assert len(eval(expression, values)) == 3
            checked += 1
        else:
            exec(expression, values)
    assert checked == 2


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
