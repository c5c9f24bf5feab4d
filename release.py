"""Make a release: one version everywhere, all wheels, tried in a bare environment, with their checksums.

    uv run python release.py --set 0.2.0    write another version into all files that have it
    uv run python release.py --url URL      write where the project is found into the metadata of all distributions
    uv run python release.py [--out dist]   build, try and sum up

The version is that of the runtime; the distributions need each other in exactly that version. Nothing is uploaded.
"""

import argparse
import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parent
SOURCE = Path("runtime/edge_digits_runtime/__init__.py")
_VERSION = r"\d+\.\d+\.\d+"
_PLACES = (
    re.compile(rf'^(__version__ = ")({_VERSION})(")', re.MULTILINE),
    re.compile(rf'^(version = ")({_VERSION})(")', re.MULTILINE),
    re.compile(rf"(edge-digits[\w-]*(?:\[[\w,-]+\])?==)({_VERSION})()"),
)
"""Where the version stands in a file: group 2."""
_URL = re.compile(r'\[project\.urls\]\nRepository = "([^"\n]+)"\n\n')


def files(root: Path = ROOT) -> list[Path]:
    """Return the files that have the version, the one that it comes from first."""
    return [root / SOURCE, root / "pyproject.toml", *sorted(root.glob("*/pyproject.toml"))]


def version(root: Path = ROOT) -> str:
    """Return the version of the runtime."""
    found = _PLACES[0].search((root / SOURCE).read_text(encoding="utf-8"))
    assert found
    return found[2]


def differing(root: Path = ROOT) -> list[str]:
    """Return a line for each place that has another version than the runtime."""
    wanted = version(root)
    lines = []
    for file in files(root):
        text = file.read_text(encoding="utf-8")
        found = [match for place in _PLACES for match in place.finditer(text)]
        lines += [f"{file}: {match[0]}, not {wanted}" for match in found if match[2] != wanted]
    return lines


def set_version(new: str, root: Path = ROOT) -> None:
    """Write another version into all files that have one.

    Raises:
        SystemExit: it is not of three numbers.
    """
    if not re.fullmatch(_VERSION, new):
        sys.exit(f"Error: version {new!r}: allowed is three numbers with points, such as 0.2.0")
    for file in files(root):
        text = file.read_text(encoding="utf-8")
        for place in _PLACES:
            text = place.sub(rf"\g<1>{new}\g<3>", text)
        file.write_text(text, encoding="utf-8")


def urls(root: Path = ROOT) -> dict[str, str]:
    """Return the address of the project in each distribution that has one, by its file."""
    found = {}
    for file in files(root)[1:]:
        match = _URL.search(file.read_text(encoding="utf-8"))
        if match:
            found[str(file.relative_to(root))] = match[1]
    return found


def set_url(url: str, root: Path = ROOT) -> None:
    """Write where the project is found into the metadata of all distributions.

    Raises:
        SystemExit: it is no address of a page.
    """
    if not re.fullmatch(r"https://[\w.-]+(/[\w./~-]*)?", url, re.ASCII):
        sys.exit(f"Error: URL {url!r}: allowed is https:// and an address without parameters")
    table = f'[project.urls]\nRepository = "{url}"\n\n'
    for file in files(root)[1:]:
        text = _URL.sub("", file.read_text(encoding="utf-8"))
        file.write_text(text.replace("[build-system]", f"{table}[build-system]", 1), encoding="utf-8")


def build(out: Path) -> list[Path]:
    """Build the wheels of all distributions into ``out`` and return them."""
    shutil.rmtree(out, ignore_errors=True)
    _run(["uv", "build", "--all-packages", "--wheel", "--quiet", "--out-dir", str(out)])
    wheels = sorted(out.glob("*.whl"))
    built = {wheel.name.partition("-")[0].replace("_", "-") for wheel in wheels}
    wanted = {f"edge-digits-{path.parent.name}" for path in ROOT.glob("*/pyproject.toml")} | {"edge-digits"}
    if built != wanted:
        sys.exit(f"Error: built {', '.join(sorted(built))}; wanted {', '.join(sorted(wanted))}")
    return wheels


def check(wheels: Sequence[Path]) -> None:
    """Install the device profile from the wheels into a bare environment, and run it there."""
    with tempfile.TemporaryDirectory() as folder:
        _run(["uv", "venv", "--quiet", "--python", sys.executable, f"{folder}/venv"])
        profile = [str(wheel.absolute()) for wheel in wheels if re.match("edge_digits(_runtime|_models)?-", wheel.name)]
        _run(["uv", "pip", "install", "--quiet", "--python", f"{folder}/venv", *profile], folder)
        command = f"{folder}/venv/bin/edge-digits"
        if version() not in _run([command, "--version"], folder):
            sys.exit("Error: the installed command has another version")
        _run([command, "doctor"], folder)
        shutil.copy(ROOT / "edge_digits" / "samples" / "7.png", folder)
        if not _run([command, "classify", "7.png"], folder).startswith("7.png: 7 "):
            sys.exit("Error: the installed command does not read the 7")
        if "digits-xs" not in _run([command, "models"], folder):
            sys.exit("Error: the installed command does not find the other models")


def main() -> None:
    """Parse the command line and make the release."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--set", metavar="VERSION", help="write this version into all files, and do nothing else")
    parser.add_argument("--url", help="write this address of the project into all metadata, and do nothing else")
    parser.add_argument("--out", type=Path, default=Path("dist"), help="folder for the wheels (default: %(default)s)")
    arguments = parser.parse_args()
    if arguments.set:
        set_version(arguments.set)
    if arguments.url:
        set_url(arguments.url)
    if arguments.set or arguments.url:
        return
    if wrong := differing():
        sys.exit("\n".join(["Error: not one version:", *wrong]))
    if len({urls().get(str(file.relative_to(ROOT))) for file in files()[1:]}) > 1:
        sys.exit(f"Error: not one address of the project in all metadata; write it with --url: {urls()}")
    if not urls():
        print("Note: no address of the project in the metadata; --url writes it.", file=sys.stderr)
    wheels = build(arguments.out)
    check(wheels)
    sums = "".join(f"{hashlib.sha256(wheel.read_bytes()).hexdigest()}  {wheel.name}\n" for wheel in wheels)
    (arguments.out / "SHA256SUMS").write_text(sums, encoding="utf-8")
    print(sums, end="")


def _run(command: Sequence[str], folder: str | None = None) -> str:
    """Run a program and return its output; its failure ends the release."""
    done = subprocess.run(command, cwd=folder or ROOT, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"Error: {' '.join(command[:3])} failed:\n{done.stderr.strip()}")
    return done.stdout


if __name__ == "__main__":
    main()
