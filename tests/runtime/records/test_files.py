"""Writing a file whole or not at all, wherever it is told to."""

import errno
import os
from pathlib import Path

import pytest
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


def test_a_full_disk_names_the_file_that_was_asked_for(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space left") as caught, files.replacing(tmp_path / "a.bin"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert caught.value.filename == str(tmp_path / "a.bin")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_takes_no_file_names_the_file_that_was_asked_for(tmp_path: Path) -> None:
    (tmp_path / "folder" / "inside").mkdir(parents=True)
    with pytest.raises(OSError, match="directory") as caught:
        files.write_bytes(tmp_path / "folder", b"")
    assert caught.value.filename == str(tmp_path / "folder")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
