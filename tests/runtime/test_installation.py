"""Which code is installed, and what to type for more of it: for a clone, a bundle and an index."""

import importlib.metadata
import json
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from edge_digits_runtime import installation

Source = Callable[[object], None]


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> Source:
    """``source(values)``: pretend that pip noted ``values`` of where it was installed from; None for an index."""

    def pretend(values: object) -> None:
        text = None if values is None else json.dumps(values)
        found = SimpleNamespace(read_text=lambda _: text)
        monkeypatch.setattr(installation.importlib.metadata, "distribution", lambda _: found)

    return pretend


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    (tmp_path / "a clone" / "runtime").mkdir(parents=True)
    (tmp_path / "a clone" / "runtime" / "pyproject.toml").touch()
    return tmp_path / "a clone"


def of_clone(clone: Path, editable: bool) -> object:
    return {"url": (clone / "runtime").as_uri(), "dir_info": {"editable": True} if editable else {}}


@pytest.mark.parametrize(
    ("extras", "wanted"),
    [
        (["train"], "pip install ./runtime ./train '.[train]'"),
        (["convert", "report"], "pip install ./runtime ./train ./convert '.[convert,report]'"),
        (["report"], "pip install ./runtime '.[report]'"),
        (["study"], "pip install ./runtime ./train ./convert ./study '.[study]'"),
    ],
)
def test_from_a_clone_its_folders_are_named(extras: list[str], wanted: str, source: Source, clone: Path) -> None:
    source(of_clone(clone, editable=False))
    assert installation.how_to_get(extras) == f"cd {shlex.quote(str(clone))} && {wanted}"


def test_in_the_environment_of_uv_it_is_uv_that_is_named(
    source: Source, clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source(of_clone(clone, editable=True))
    monkeypatch.setattr(sys, "prefix", str(clone / ".venv"))
    assert (
        installation.how_to_get(["train", "report"])
        == f"cd {shlex.quote(str(clone))} && uv sync --extra train --extra report"
    )


def test_every_folder_that_is_named_is_one_of_the_repository() -> None:
    root = Path(__file__).parents[2]
    if not (root / "runtime").is_dir():
        pytest.skip("copied to a device without the repository")
    named = {folder for folders in installation._FOLDERS.values() for folder in folders}
    assert all((root / folder / "pyproject.toml").is_file() for folder in named)


def test_a_bundle_does_not_point_to_an_index(source: Source) -> None:
    source({"url": "file:///home/pi/edge-digits-bundle/wheels/edge_digits_runtime.whl", "archive_info": {}})
    assert "in a clone of the repository" in installation.how_to_get(["train"])
    assert "newer bundle" in installation.how_to_renew()
    assert "edge-digits[" not in installation.how_to_get(["train"])
    # What is none of ours comes from the index there, too.
    assert installation.how_to_get(["sign"]) == "pip install cryptography"


def test_from_an_index_pip_is_named(source: Source) -> None:
    source(None)
    assert installation.how_to_get(["train"]) == "pip install 'edge-digits[train]'"
    assert installation.how_to_renew() == "pip install --upgrade --force-reinstall edge-digits-runtime"


def test_a_clone_that_is_gone_is_no_clone(source: Source, tmp_path: Path) -> None:
    source(of_clone(tmp_path / "gone", editable=True))
    assert str(tmp_path) not in installation.how_to_get(["train"])


def test_code_on_the_path_alone_is_taken_for_one_from_an_index(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(installation.importlib.metadata, "distribution", absent)
    assert installation.how_to_get(["report"]) == "pip install 'edge-digits[report]'"


def package(folder: Path, content: str) -> str:
    """Make a package and return its digest."""
    (folder / "tried_package" / "inside").mkdir(parents=True)
    (folder / "tried_package" / "__init__.py").write_text(content)
    (folder / "tried_package" / "inside" / "data.bin").write_bytes(b"\0\1")
    (folder / "tried_package" / "__pycache__").mkdir()
    (folder / "tried_package" / "__pycache__" / "x.pyc").write_text(str(folder))
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        return installation.package_sha256("tried_package")


def test_equal_code_has_an_equal_digest_wherever_it_lies(tmp_path: Path) -> None:
    first, again, other = (package(tmp_path / name, text) for name, text in (("a", "1"), ("b", "1"), ("c", "2")))
    assert first == again != other
    assert len(first) == 64


def test_the_digest_is_what_sha256sum_gives(tmp_path: Path) -> None:
    import subprocess

    digest = package(tmp_path, "x = 1\n")
    files = "find tried_package -type f -not -path '*__pycache__*' | LC_ALL=C sort | xargs sha256sum | sha256sum"
    done = subprocess.run(["sh", "-c", files], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.stdout.split()[0] == digest


def test_a_package_that_is_not_there() -> None:
    with pytest.raises(ModuleNotFoundError, match="edge_digits_nowhere"):
        installation.package_sha256("edge_digits_nowhere")
