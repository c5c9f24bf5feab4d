"""Every benchmark finds the modules beside it when it is run as the docs say: ``python benchmarks/FOLDER/NAME.py``."""

import ast
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SCRIPTS = sorted(BENCHMARKS.glob("*/*.py"))
FOLDERS = {script.stem: script.parent for script in SCRIPTS}


def test_no_two_benchmarks_have_one_name() -> None:
    assert len(FOLDERS) == len(SCRIPTS) > 10


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: f"{script.parent.name}/{script.name}")
def test_a_benchmark_imports_from_folders_on_its_path(script: Path) -> None:
    source = script.read_text(encoding="utf-8")
    nodes = list(ast.walk(ast.parse(source)))
    imported = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    needed = {FOLDERS[name] for name in imported & FOLDERS.keys()}
    # Python puts the folder of a script on its path, and no other.
    added = {
        folder
        for folder in FOLDERS.values()
        if f'sys.path.append(str(Path(__file__).parents[1] / "{folder.name}"))' in source
    }
    assert needed <= {script.parent} | added
