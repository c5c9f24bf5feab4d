"""How edge-digits came here, which code it is, and what brings more of it.

Nothing of it is on a package index yet, so what to type depends on where it came from: a clone of the repository, the
wheels of a bundle, or an index.
"""

import hashlib
import importlib.metadata
import json
import re
import shlex
import sys
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit

RUNTIME = "edge-digits-runtime"
_ADDED = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json")
"""Files that an installer adds to what a wheel holds."""
_FOLDERS = {
    "train": ("train",),
    "convert": ("train", "convert"),
    "models": ("models",),
    "study": ("train", "convert", "study"),
    "live": ("live",),
    "all": ("train", "convert", "models", "study", "live"),
}
"""Folders of a clone whose distributions an extra takes beside the runtime and edge-digits itself."""

_FOREIGN = {"sign": "cryptography"}
"""Extras that bring nothing of ours, and the package of an index that they bring."""


def package_files(package: str) -> dict[str, bytes]:
    """Return the files of an installed package by path, beginning with the package's name, in order.

    Raises:
        ModuleNotFoundError: it is not installed.
    """
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"No module named {package!r}", name=package)
    folder = Path(spec.origin).parent
    files = sorted(file for file in folder.rglob("*") if file.is_file() and "__pycache__" not in file.parts)
    return {file.relative_to(folder.parent).as_posix(): file.read_bytes() for file in files}


def package_sha256(package: str = "edge_digits_runtime") -> str:
    """Return a hex digest of the files of an installed package; equal code has an equal one, however it came here.

    It is the sha256 of what ``sha256sum`` prints of the files in order.

    Raises:
        ModuleNotFoundError: it is not installed.
    """
    lines = (f"{hashlib.sha256(data).hexdigest()}  {path}\n" for path, data in package_files(package).items())
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def build(distribution: str) -> str:
    """Return version and code of an installed distribution of ours, such as ``0.1.0+1a2b3c4d``.

    What follows the plus is the start of `package_sha256`. The wheels of a bundle have it as their version, so that pip
    replaces one that was changed.

    Raises:
        importlib.metadata.PackageNotFoundError: it is not installed.
    """
    version = importlib.metadata.version(distribution).partition("+")[0]
    return f"{version}+{package_sha256(distribution.replace('-', '_'))[:8]}"


def installed(distributions: Iterable[str]) -> dict[str, dict[str, str] | None]:
    """Return version and digest of installed distributions by name; None for one that is not installed.

    The digest is of the files as they lie here, those that an installer adds or compiles left out: equal wheels have an
    equal one on every device.
    """
    return {name: _installed(name) for name in distributions}


def _installed(name: str) -> dict[str, str] | None:
    try:
        distribution = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return None
    if name.startswith("edge-digits"):
        # Also where it is an editable clone, which lists none of its files.
        return {"version": build(name), "sha256": package_sha256(name.replace("-", "_"))}
    lines = []
    for file in sorted(distribution.files or (), key=str):
        if ".." in file.parts or "__pycache__" in file.parts or file.name in _ADDED:
            continue
        path = Path(str(distribution.locate_file(file)))
        digest = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "missing"
        lines.append(f"{digest}  {file}\n")
    return {"version": distribution.version, "sha256": hashlib.sha256("".join(lines).encode()).hexdigest()}


def needed(distributions: Sequence[str] = ("edge-digits", RUNTIME)) -> list[str]:
    """Return the names of ``distributions`` and of all that they need and that is installed, in order."""
    found: dict[str, None] = {}
    waiting = list(distributions)
    while waiting:
        name = waiting.pop()
        try:
            requirements = importlib.metadata.requires(name) or ()
        except importlib.metadata.PackageNotFoundError:
            continue
        found[name] = None
        for requirement in requirements:
            text, _, marker = requirement.partition(";")
            required = re.split(r"[^\w.-]", text.strip(), maxsplit=1)[0]
            if "extra" not in marker and required not in found:
                waiting.append(required)
    return sorted(found)


def how_to_get(extras: Sequence[str]) -> str:
    """Return what to type to get the extras ``extras`` of edge-digits, such as ``train``."""
    names = ",".join(extras)
    clone = _clone()
    if clone is not None:
        if Path(sys.prefix) == clone / ".venv":
            return f"cd {shlex.quote(str(clone))} && uv sync {' '.join(f'--extra {name}' for name in extras)}"
        folders = dict.fromkeys(("runtime", *(folder for extra in extras for folder in _FOLDERS.get(extra, ()))))
        return (
            f"cd {shlex.quote(str(clone))} && pip install {' '.join(f'./{folder}' for folder in folders)} '.[{names}]'"
        )
    if _source() is not None:
        if all(extra in _FOREIGN for extra in extras):
            return f"pip install {' '.join(_FOREIGN[extra] for extra in extras)}"
        return (
            f"a bundle does not bring it; in a clone of the repository: uv run edge-digits, or pip install '.[{names}]'"
        )
    return f"pip install 'edge-digits[{names}]'"


def how_to_renew() -> str:
    """Return what to type to get another copy of the runtime, the newest where there is a newer one."""
    clone = _clone()
    if clone is not None:
        return f"cd {shlex.quote(str(clone))} && pip install --force-reinstall --no-deps ./runtime"
    if _source() is not None:
        return "in the folder of a newer bundle: pip install --force-reinstall --no-deps wheels/edge_digits*.whl"
    return f"pip install --upgrade --force-reinstall {RUNTIME}"


def _source() -> dict[str, object] | None:
    """Return what pip noted of an installation that came from a path or an address; None if it came from an index."""
    try:
        text = importlib.metadata.distribution(RUNTIME).read_text("direct_url.json")
    except importlib.metadata.PackageNotFoundError:
        # Imported from a folder on the path.
        return None
    if text is None:
        return None
    values = json.loads(text)
    return values if isinstance(values, dict) else None


def _clone() -> Path | None:
    """Return the clone of the repository that this was installed from; None if it came otherwise, or is gone."""
    source = _source()
    if source is None or "dir_info" not in source:
        return None
    folder = Path(unquote(urlsplit(str(source.get("url", ""))).path)).parent
    return folder if (folder / "runtime" / "pyproject.toml").is_file() else None
