"""The versions that a bundle pins, and the wheels that it carries for a device without internet."""

import importlib.metadata
import io
import re
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from edge_digits_runtime.errors import UsageError
from edge_digits_runtime.installation import build
from packaging.specifiers import SpecifierSet

from edge_digits.cli import main
from edge_digits.deploy import dependencies
from edge_digits.deploy.bundle import DISTRIBUTIONS
from edge_digits.deploy.dependencies import Platform

PI = Platform("aarch64", "311")


def test_what_runs_here_is_pinned() -> None:
    lines = dependencies.required(DISTRIBUTIONS)
    pinned = dict(line.split("==") for line in lines if "==" in line)
    assert {"numpy", "pillow", "click", "ai-edge-litert", "protobuf"} <= set(pinned)
    assert all(importlib.metadata.version(name) == version for name, version in pinned.items())
    assert not [line for line in lines if "tflite-runtime" in line or line.startswith("edge-digits")]
    assert all(line.endswith('; platform_machine != "armv7l"') for line in text().splitlines()[1:])


def text() -> str:
    return dependencies.constraints(DISTRIBUTIONS)


def test_32_bit_arm_gets_what_our_metadata_say() -> None:
    lines = dependencies.required(DISTRIBUTIONS, Platform("armv7l", "311"))
    assert "tflite-runtime==2.14.*" in lines
    assert "numpy>=1.26,<2" in lines
    assert not [line for line in lines if line.startswith("ai-edge-litert")]


@pytest.mark.parametrize(
    "specifier",
    [">=3.11", ">=3.8.6,<3.11", ">=3.8.6, <4", "!=3.11,>=3", "==3.11.*", "!=3.12.*", "<=3.12", ">3.11", "~=3.9", None],
)
@pytest.mark.parametrize("python", [(3, 11), (3, 12), (3, 13)])
def test_a_version_is_pinned_only_where_its_python_allows_it(specifier: str | None, python: tuple[int, int]) -> None:
    wanted = SpecifierSet(specifier or "").contains(f"{python[0]}.{python[1]}.99")
    assert dependencies._allows(specifier, python) is wanted


def test_a_version_that_pip_would_refuse_is_not_pinned(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.metadata.metadata

    def metadata(name: str) -> object:
        return {"Requires-Python": ">=3.8,<3.11"} if name == "pillow" else real(name)

    monkeypatch.setattr(importlib.metadata, "metadata", metadata)
    assert [line for line in dependencies.required(DISTRIBUTIONS, PI) if line.startswith("pillow")] == ["pillow>=10.3"]


@pytest.mark.parametrize("name", ["aarch64", "mips-cp311", "aarch64-cp39", "aarch64-cp310", "aarch64-311", "", "a-cp3"])
def test_a_platform_of_another_form_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="allowed is aarch64, x86_64, armv7l"):
        Platform.parse(name)


@pytest.fixture
def pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """``pip(script)``: a pip that runs a script of Python, in which ``argv`` are its arguments; returns its log."""

    def make(script: str) -> Path:
        program, log = tmp_path / "pip.py", tmp_path / "pip.log"
        program.write_text(
            f"import sys, pathlib\nargv = sys.argv[1:]\npathlib.Path({str(log)!r}).write_text(' '.join(argv))\n{script}"
        )
        monkeypatch.setattr(dependencies, "_pip", lambda: [sys.executable, str(program)])
        return log

    return make


WRITE = """
import zipfile
folder = pathlib.Path(argv[argv.index("--dest") + 1])
for name in ("numpy-1-cp311.whl", "pillow-1-cp311.whl"):
    with zipfile.ZipFile(folder / name, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("content"), bytes(500_000))
"""


def test_wheels_of_the_platform_are_asked_for_and_packed(
    pip: Callable[[str], Path], make_run: Callable[..., Path], tmp_path: Path
) -> None:
    log = pip(WRITE)
    model = (Path(__file__).parents[1] / "runtime" / "models" / "foreign-half-scale.tflite").read_bytes()
    run = make_run({"mlp-8-int8.tflite": (model, "int8")})
    result = CliRunner().invoke(main, ["bundle", str(run), "-o", str(tmp_path / "pi.zip"), "--wheels", "aarch64-cp311"])
    assert result.exit_code == 0, result.output
    assert " MB on aarch64-cp311, with all they need" in result.stdout
    asked = log.read_text().split()
    assert {"--no-deps", "--only-binary=:all:", "--python-version=311", "--abi=cp311", "--abi=abi3"} <= set(asked)
    assert "--platform=manylinux2014_aarch64" in asked
    assert f"numpy=={importlib.metadata.version('numpy')}" in asked
    with zipfile.ZipFile(tmp_path / "pi.zip") as archive:
        names = {name.removeprefix("edge-digits-bundle/") for name in archive.namelist()}
        sums = archive.read("edge-digits-bundle/SHA256SUMS").decode()
        readme = archive.read("edge-digits-bundle/README.txt").decode()
    wheels = {f"wheels/{name}-1-cp311.whl" for name in ("numpy", "pillow")}
    assert wheels | {"constraints.txt"} <= names
    assert all(name in sums for name in wheels)
    # One command with and without internet.
    assert "venv/bin/pip install -c constraints.txt wheels/*.whl" in readme
    assert re.search(r"For aarch64-cp311; nothing is downloaded\. Takes \d MB\.", readme)


@pytest.mark.parametrize(
    ("platform", "more"),
    [
        ("aarch64-cp399", ""),
        (
            "armv7l-cp311",
            "; PyPI has no numpy and no Pillow for 32-bit ARM: let pip look in piwheels, too",
        ),
    ],
)
def test_what_pip_cannot_get_is_one_line(
    pip: Callable[[str], Path], make_run: Callable[..., Path], tmp_path: Path, platform: str, more: str
) -> None:
    pip("sys.exit('noise\\nERROR: No matching distribution found for numpy==2.4.6')")
    model = (Path(__file__).parents[1] / "runtime" / "models" / "foreign-half-scale.tflite").read_bytes()
    run = make_run({"mlp-8-int8.tflite": (model, "int8")})
    result = CliRunner().invoke(main, ["bundle", str(run), "-o", str(tmp_path / "pi.zip"), "--wheels", platform])
    assert result.exit_code == 2
    assert result.stderr == (
        f"Error: wheels for {platform}: pip cannot get them: No matching distribution found for numpy==2.4.6{more}\n"
    )
    assert not (tmp_path / "pi.zip").exists()


def test_without_any_pip_it_is_said_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dependencies, "find_spec", lambda _: None)
    monkeypatch.delenv("UV", raising=False)
    monkeypatch.setattr(dependencies.shutil, "which", lambda _: None)
    with pytest.raises(UsageError, match="ensurepip"):
        dependencies.download(DISTRIBUTIONS, PI)


def test_the_size_is_that_of_the_files_in_the_wheels() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", bytes(1000))
        archive.writestr("b", bytes(234))
    assert dependencies.installed_bytes([buffer.getvalue()] * 2) == 2468


def test_a_newer_bundle_replaces_the_code_in_the_same_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import subprocess

    from edge_digits.deploy import wheels

    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True, timeout=120)

    def install() -> str:
        name, content = wheels.pack("edge-digits")
        (tmp_path / name).write_bytes(content)
        # As in the README of a bundle; what edge-digits needs is not the subject.
        options = ["--quiet", "--no-index", "--no-deps", "--disable-pip-version-check"]
        command = [tmp_path / "venv/bin/python", "-m", "pip", "install", *options, tmp_path / name]
        subprocess.run(command, check=True, timeout=120)
        (module,) = tmp_path.glob("venv/lib/*/site-packages/edge_digits/__init__.py")
        (info,) = tmp_path.glob("venv/lib/*/site-packages/edge_digits-*.dist-info/METADATA")
        version = next(line for line in info.read_text().splitlines() if line.startswith("Version: "))
        assert version == f"Version: {build('edge-digits')}"
        return module.read_text()

    former = install()
    real = wheels.package_files("edge_digits")
    changed = real | {"edge_digits/__init__.py": b'"""Changed, in the same version."""\n'}
    monkeypatch.setattr(wheels, "package_files", lambda _: changed)
    monkeypatch.setattr("edge_digits_runtime.installation.package_files", lambda _: changed)
    assert install() == '"""Changed, in the same version."""\n' != former
