"""A bundle: its contents, that the same input gives the same bytes, and errors."""

import base64
import csv
import hashlib
import io
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from edge_digits_runtime.data import loading, npz
from edge_digits_runtime.installation import build
from edge_digits_runtime.model.card import ModelCard, append_card, read_model_file
from edge_digits_runtime.model.registry import DEFAULT_MODEL

from edge_digits import __file__ as package
from edge_digits.cli import main
from edge_digits.deploy import wheels

MakeRun = Callable[..., Path]
VERSION, RUNTIME = build("edge-digits"), build("edge-digits-runtime")
DATA = Path(__file__).parents[1] / "runtime" / "models"
INT8, FLOAT = (
    file.content[: file.flatbuffer_bytes]
    for file in (read_model_file(DATA / "int8.tflite"), read_model_file(DATA / "float32.tflite"))
)
MODELS = {"mlp-8-int8.tflite": (INT8, "int8"), "mlp-8-float32.tflite": (FLOAT, "float32")}


def bundle(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["bundle", *map(str, arguments)])


def unpacked(file: Path, folder: Path) -> Path:
    subprocess.run([sys.executable, "-m", "zipfile", "-e", file, folder], check=True, timeout=60)
    assert [entry.name for entry in folder.iterdir()] == ["edge-digits-bundle"]
    return folder / "edge-digits-bundle"


def test_a_bundle_holds_what_the_device_needs(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(MODELS)
    result = bundle(run, "-o", tmp_path / "pi.zip")
    assert result.exit_code == 0, result.output
    size = (tmp_path / "pi.zip").stat().st_size
    model_size = (run / "mlp-8-int8.tflite").stat().st_size
    assert result.stdout.startswith(
        f"{tmp_path / 'pi.zip'}: mlp-8 int8 ({model_size:,} bytes), 20 test pictures of Noise, {size:,} bytes in all; "
        "its wheels install "
    )

    folder = unpacked(tmp_path / "pi.zip", tmp_path / "device")
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert names == [
        "README.txt",
        "SHA256SUMS",
        "constraints.txt",
        "model.tflite",
        *(f"samples/{digit}.png" for digit in range(10)),
        "test.npz",
        f"wheels/edge_digits-{VERSION}-py3-none-any.whl",
        f"wheels/edge_digits_runtime-{RUNTIME}-py3-none-any.whl",
    ]
    assert (folder / "model.tflite").read_bytes() == (run / "mlp-8-int8.tflite").read_bytes()
    written, given = (loading.load_test(file).test for file in (folder / "test.npz", tmp_path / "noise.npz"))
    np.testing.assert_array_equal(written.images, given.images)
    np.testing.assert_array_equal(written.labels, given.labels)
    checked = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=folder, capture_output=True, text=True, timeout=60)
    assert checked.returncode == 0
    assert len(checked.stdout.splitlines()) == len(names) - 1

    readme = (folder / "README.txt").read_text(encoding="utf-8")
    assert [line.strip() for line in readme.splitlines() if line.startswith("   ")] == [
        "python3 -m venv venv && venv/bin/pip install -c constraints.txt wheels/*.whl",
        "Downloads what is missing from the package index. The same command in the folder of a newer bundle replaces "
        "this one.",
        "venv/bin/edge-digits classify samples --model model.tflite",
        "venv/bin/edge-digits evaluate model.tflite --data test.npz -o evaluation.json",
        "edge-digits report RUN evaluation.json",
    ]
    assert f"mlp-8, int8, {model_size:,} bytes, 98.12 % right" in readme


def test_the_same_run_gives_the_same_bytes(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(MODELS)
    assert bundle(run, "-o", tmp_path / "a.zip").exit_code == 0
    model = run / "mlp-8-int8.tflite"
    model.touch()
    model.chmod(0o600)
    assert bundle(run, "-o", tmp_path / "b.zip").exit_code == 0
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "flatbuffer"),
    [
        ((), INT8),
        (("--scheme", "float32"), FLOAT),
        (("--model", "run/mlp-8-float32.tflite"), FLOAT),
        (("--model", "digits-m"), DEFAULT_MODEL.read_bytes()),
    ],
    ids=["default", "scheme", "model", "name"],
)
def test_the_requested_model_is_packed(
    arguments: tuple[str, ...], flatbuffer: bytes, make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_run(MODELS)
    monkeypatch.chdir(tmp_path)
    result = bundle("run", "-o", "pi.zip", "--no-runtime", *arguments)
    assert result.exit_code == 0, result.output
    with zipfile.ZipFile("pi.zip") as archive:
        assert archive.read("edge-digits-bundle/model.tflite").startswith(flatbuffer)


def test_without_the_runtime_no_wheels_are_packed(make_run: MakeRun, tmp_path: Path) -> None:
    assert bundle(make_run(MODELS), "-o", tmp_path / "pi.zip", "--no-runtime").exit_code == 0
    with zipfile.ZipFile(tmp_path / "pi.zip") as archive:
        assert not [name for name in archive.namelist() if name.endswith(".whl")]
        readme = archive.read("edge-digits-bundle/README.txt").decode()
    assert "venv/bin/pip install edge-digits\n" in readme
    assert "wheels" not in readme


def tampered(run: Path) -> None:
    path = run / "mlp-8-int8.tflite"
    content = bytearray(path.read_bytes())
    content[content.index(b"TFL3") + len(INT8) // 2] ^= 1
    path.write_bytes(content)


def other_pictures(run: Path) -> None:
    source = run.parent / "noise.npz"
    dataset = loading.load_test(source)
    dataset.test.labels[0] = 9
    npz.save_test(source, dataset)


def cut_off(run: Path) -> None:
    (run / "mlp-8-int8.tflite").write_bytes(append_card(INT8[: len(INT8) // 2], ModelCard("mlp-8", "int8", "")))


def second_model(run: Path) -> None:
    (run / "again.tflite").write_bytes((run / "mlp-8-int8.tflite").read_bytes())


BROKEN = [
    (tampered, "mlp-8-int8.tflite: the model does not match the sha256 in its card", "--allow-unverified"),
    (cut_off, "mlp-8-int8.tflite: ", "model"),
    (lambda run: (run / "mlp-8-int8.tflite").unlink(), "run: no int8 .tflite in it", "edge-digits convert"),
    (second_model, "run: 2 int8 models in it (again.tflite, mlp-8-int8.tflite)", "--model"),
    (other_pictures, "Noise: not the test pictures that mlp-8 was tested with", "--data"),
    (lambda run: (run.parent / "noise.npz").unlink(), "noise.npz: no such file or folder", "give a Keras-layout .npz"),
    (lambda run: (run / "run.json").unlink(), "run: not a run folder", "edge-digits train"),
]


@pytest.mark.parametrize(("damage", "what", "advice"), BROKEN, ids=[what for _, what, _ in BROKEN])
def test_a_refusal_is_one_line_and_leaves_the_former_bundle(
    damage: Callable[[Path], None], what: str, advice: str, make_run: MakeRun, tmp_path: Path
) -> None:
    run = make_run(MODELS)
    out = tmp_path / "out" / "pi.zip"
    assert bundle(run, "-o", out, "--no-runtime").exit_code == 0
    former = out.read_bytes()
    damage(run)
    result = bundle(run, "-o", out, "--no-runtime")
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: ")
    assert len(result.stderr.splitlines()) == 1
    assert what in result.stderr
    assert advice in result.stderr
    assert out.read_bytes() == former
    assert list(out.parent.iterdir()) == [out]


def test_a_model_and_a_scheme_together_are_refused(make_run: MakeRun, tmp_path: Path) -> None:
    result = bundle(make_run(MODELS), "-o", tmp_path / "pi.zip", "--model", "digits-m", "--scheme", "float32")
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)
    assert not (tmp_path / "pi.zip").exists()


def test_an_unverified_model_is_packed_if_allowed_and_its_commands_allow_it(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(MODELS)
    tampered(run)
    assert bundle(run, "-o", tmp_path / "pi.zip", "--no-runtime", "--allow-unverified").exit_code == 0
    with zipfile.ZipFile(tmp_path / "pi.zip") as archive:
        assert archive.read("edge-digits-bundle/model.tflite") == (run / "mlp-8-int8.tflite").read_bytes()
        readme = archive.read("edge-digits-bundle/README.txt").decode()
    assert readme.count(" --allow-unverified") == 2


def test_a_moved_data_set_is_found_with_the_data_option(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(MODELS)
    (tmp_path / "noise.npz").rename(tmp_path / "moved.npz")
    result = bundle(run, "-o", tmp_path / "pi.zip", "--no-runtime", "--data", tmp_path / "moved.npz")
    assert result.exit_code == 0, result.output


def test_a_wheel_lists_its_files_with_their_digests() -> None:
    name, content = wheels.pack("edge-digits")
    info = f"edge_digits-{VERSION}.dist-info"
    assert name == f"edge_digits-{VERSION}-py3-none-any.whl"
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        rows = {row[0]: row[1:] for row in csv.reader(io.TextIOWrapper(archive.open(f"{info}/RECORD")))}
        assert list(rows) == archive.namelist()
        assert rows.pop(f"{info}/RECORD") == ["", ""]
        for path, (digest, size) in rows.items():
            data = archive.read(path)
            # PEP 376: urlsafe base64 without the padding.
            assert digest == "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
            assert int(size) == len(data)
        packed = {path for path in rows if not path.startswith(f"{info}/")}
        assert "Root-Is-Purelib: true" in archive.read(f"{info}/WHEEL").decode()
    source = Path(package).parent
    here = {path.relative_to(source.parent).as_posix() for path in source.rglob("*") if path.is_file()}
    assert packed == {path for path in here if "__pycache__" not in path}


def test_wheels_run_without_the_sources(tmp_path: Path) -> None:
    for name in ("edge-digits", "edge-digits-runtime"):
        with zipfile.ZipFile(io.BytesIO(wheels.pack(name)[1])) as archive:
            archive.extractall(tmp_path)
    code = (
        "import importlib.metadata as m, edge_digits, edge_digits_runtime\n"
        "print(edge_digits.__file__, edge_digits_runtime.__file__)\n"
        "(entry,) = m.distribution('edge-digits').entry_points.select(group='console_scripts')\n"
        "entry.load()(['--version'])"
    )
    environment = {"PYTHONPATH": str(tmp_path), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.splitlines() == [
        f"{tmp_path}/edge_digits/__init__.py {tmp_path}/edge_digits_runtime/__init__.py",
        f"edge-digits, version {VERSION}",
    ], done.stderr


@pytest.mark.parametrize("name", [f"edge-digits{part}" for part in ("", "-runtime", "-train", "-convert", "-models")])
def test_a_wheel_carries_the_licence_and_the_notice_of_its_data(name: str) -> None:
    root = Path(package).parents[1]
    with zipfile.ZipFile(io.BytesIO(wheels.pack(name)[1])) as archive:
        texts = {Path(path).name: archive.read(path) for path in archive.namelist() if "/licenses/" in path}
        data = [path for path in archive.namelist() if path.endswith((".xz", ".tflite", ".png"))]
    wanted = ["LICENSE", "NOTICE.md"] if data else ["LICENSE"]
    assert texts == {file: (root / file).read_bytes() for file in wanted}


def test_the_notice_names_the_data() -> None:
    root = Path(package).parents[1]
    notice = (root / "NOTICE.md").read_text(encoding="utf-8")
    carried = [*(root / "train").rglob("*.xz"), *(root / "train").rglob("*.npz")]
    assert carried
    assert all(file.name in notice for file in carried)


def test_a_package_that_is_not_installed_cannot_be_packed(
    monkeypatch: pytest.MonkeyPatch, make_run: MakeRun, tmp_path: Path
) -> None:
    run = make_run(MODELS)
    monkeypatch.setattr("edge_digits.deploy.bundle.DISTRIBUTIONS", ("edge-digits-nowhere",))
    result = bundle(run, "-o", tmp_path / "pi.zip")
    assert result.exit_code == 2
    assert result.stderr == "Error: edge-digits-nowhere is not installed here and cannot be packed: use --no-runtime\n"
