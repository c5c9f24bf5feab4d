"""Writing a file whole or not at all, wherever it is told to."""

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from edge_digits_runtime.errors import OutputError
from edge_digits_runtime.records import files


def test_what_fails_leaves_the_former_file_and_nothing_beside_it(tmp_path: Path) -> None:
    target = tmp_path / "a.bin"
    files.write_bytes(target, b"former")
    with pytest.raises(TypeError):
        files.write_bytes(target, 1)  # type: ignore[arg-type]
    assert target.read_bytes() == b"former"
    assert list(tmp_path.iterdir()) == [target]


def test_a_link_stays_one_and_its_target_is_written(tmp_path: Path) -> None:
    link = tmp_path / "link.bin"
    link.symlink_to(tmp_path / "folder" / "real.bin")
    files.write_bytes(link, b"new")
    assert link.is_symlink()
    assert (tmp_path / "folder" / "real.bin").read_bytes() == b"new"


def test_a_pipe_is_written_into(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    files.write_bytes(pipe, b"through")
    assert os.read(reader, 99) == b"through"
    os.close(reader)
    assert pipe.is_fifo()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO])
def test_a_full_disk_names_the_file_that_was_asked_for(code: int, tmp_path: Path) -> None:
    with pytest.raises(OutputError) as caught, files.replacing(tmp_path / "a.bin"):
        raise OSError(code, os.strerror(code))
    assert str(caught.value) == f"{tmp_path / 'a.bin'}: cannot be written: {os.strerror(code)}"
    assert not list(tmp_path.iterdir())


def test_a_device_that_is_full_is_named() -> None:
    with pytest.raises(OutputError, match=r"^/dev/full: cannot be written: No space left on device$"):
        files.write_bytes("/dev/full", b"much")


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("folder", "cannot be written: Is a directory"),
        ("file/inside.bin", "cannot be made: .*"),
        (f"{'n' * 300}.bin", "cannot be written: File name too long"),
        (f"{'n' * 300}/a.bin", "cannot be .*: File name too long"),
        ("/proc/a.bin", "cannot be written: .*"),
    ],
    ids=["folder", "below a file", "long name", "long folder", "no files here"],
)
def test_a_path_that_takes_no_file_is_named(path: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "folder" / "inside").mkdir(parents=True)
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=f"{says}$") as caught:
        files.write_bytes(tmp_path / path, b"")
    assert str(caught.value).startswith(str((tmp_path / path).parent))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_an_error_of_another_file_is_passed_on_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), files.replacing(tmp_path / "a.bin"):
        (tmp_path / "template").read_bytes()
    with pytest.raises(ConnectionRefusedError), files.replacing(tmp_path / "a.bin"):
        raise ConnectionRefusedError(errno.ECONNREFUSED, "refused")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644])
def test_a_file_that_is_replaced_keeps_its_mode(mode: int, tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(b"before")
    path.chmod(mode)
    files.write_bytes(path, b"after")
    assert (path.stat().st_mode & 0o777, path.read_bytes()) == (mode, b"after")


def test_what_a_killed_process_left_is_hidden_and_removed_by_the_next_write(
    tmp_path: Path, started: Callable[..., subprocess.Popen[str]]
) -> None:
    program = (
        "import sys, time\n"
        "from edge_digits_runtime.records import files\n"
        "with files.replacing(sys.argv[1]) as temporary:\n"
        "    temporary.write_bytes(b'half')\n"
        "    print('ready', flush=True)\n"
        "    time.sleep(60)\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "model.tflite")]
    process = started(command)
    assert process.stdout is not None
    process.stdout.readline()
    (half,) = tmp_path.iterdir()
    assert half.name.startswith(".")
    assert half.suffix == ".tflite"
    # It is not stale as long as its process lives.
    files.write_bytes(tmp_path / "first.json", b"")
    assert half.exists()
    process.kill()
    process.wait()
    files.write_bytes(tmp_path / "second.json", b"")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first.json", "second.json"]


def test_a_folder_is_claimed_by_one_process_until_it_is_killed(
    tmp_path: Path, started: Callable[..., subprocess.Popen[str]]
) -> None:
    program = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from edge_digits_runtime.records import files\n"
        "print(files.claim(Path(sys.argv[1])), flush=True)\n"
        "time.sleep(60)\n"
    )
    process = started([sys.executable, "-c", program, tmp_path])
    assert process.stdout is not None
    assert process.stdout.readline() == "True\n"
    assert not files.claim(tmp_path)
    process.kill()
    process.wait()
    assert files.claim(tmp_path)
    # Once more by the same process, which may train and then resume.
    assert files.claim(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is closed to root; tests/environments runs this as another user")
def test_a_folder_that_is_closed_to_this_user_is_said(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    for folder in (False, True):
        with pytest.raises(OutputError, match="closed to this user"):
            files.check_writable(tmp_path / "a" / "b", folder)
