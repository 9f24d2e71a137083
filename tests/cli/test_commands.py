"""The table of commands: a fast start, one line for every mistake, and doors that all work."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from rtseg import __version__
from rtseg.cli import COMMANDS, build_parser, main
from rtseg.cli._missing import missing
from rtseg.cli._prediction import PRECISIONS
from rtseg.device import PRECISIONS as KNOWN_PRECISIONS

HEAVY = ("torch", "cv2", "numpy", "matplotlib", "tensorboard", "av", "pydantic", "rich")


def imported_by(*arguments: str) -> tuple[int, str, set[str]]:
    """Run the command line in a fresh process; return its status, output and loaded packages."""
    code = (
        "import sys\n"
        "from rtseg.cli import main\n"
        "try:\n"
        "    status = main(sys.argv[1:])\n"
        "except SystemExit as end:\n"
        "    status = end.code or 0\n"
        "print('LOADED', *sys.modules)\n"
        "sys.exit(status)\n"
    )
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    loaded = done.stdout.rpartition("LOADED")[2].split()
    return done.returncode, done.stdout + done.stderr, set(loaded)


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["--help"], 0),
        (["--version"], 0),
        ([], 0),
        (["strem"], 2),
        (["--nonsense"], 2),
        (["benchmark", "--frames", "0"], 2),
        (["segment", "linknet-camvid"], 2),
        *(([command.name, "--help"], 0) for command in COMMANDS),
        *(([command.name, "--nonsense"], 2) for command in COMMANDS),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else str(value),
)
def test_help_and_wrong_arguments_come_without_anything_heavy(
    arguments: list[str], status: int
) -> None:
    ended, _, loaded = imported_by(*arguments)
    assert ended == status
    assert not loaded & set(HEAVY)


def test_a_stream_brings_nothing_of_training() -> None:
    ended, output, loaded = imported_by("stream", "demo", "-o", "nonsense.xyz")
    assert ended == 2, output
    assert "torch" in loaded
    assert not loaded & {"matplotlib", "tensorboard", "rtseg.training"}


def test_without_arguments_the_help_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    text = capsys.readouterr().out
    assert all(f"\n    {command.name}" in text for command in COMMANDS)


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out.strip() == f"rtseg {__version__}"


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("strem", "unknown command 'strem'. Did you mean 'stream'? Commands: stream, "),
        ("rtsp://camera/1", "a command comes first: 'rtseg stream SOURCE'"),
        (__file__, "a command comes first: 'rtseg stream SOURCE'"),
    ],
)
def test_a_wrong_command_gets_a_hint(
    word: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main([word])
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("name", [command.name for command in COMMANDS])
def test_a_commands_own_parser_says_what_the_table_says(name: str) -> None:
    assert build_parser(name).format_help() == build_parser().format_help()


@pytest.mark.parametrize("name", [command.name for command in COMMANDS])
def test_every_command_has_a_page_of_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main([name, "--help"])
    assert capsys.readouterr().out.startswith(f"usage: rtseg {name}")


def test_ctrl_c_is_one_line_and_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(argv: object, as_json: bool) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("rtseg.cli._run", interrupted)
    assert main(["networks"]) == 130
    assert capsys.readouterr().err == "rtseg: interrupted\n"


def test_out_of_device_memory_is_one_line_and_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import torch

    def exhausted(argv: object, as_json: bool) -> int:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1 TiB\nmore")

    monkeypatch.setattr("rtseg.cli._run", exhausted)
    assert main(["networks"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "Tried to allocate 1 TiB" in error


def test_a_fault_of_the_program_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def faulty(argv: object, as_json: bool) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr("rtseg.cli._run", faulty)
    with pytest.raises(ZeroDivisionError):
        main(["networks"])


def test_a_missing_package_is_named_with_its_remedy(tmp_path: Path, repository: Path) -> None:
    """A real Python that has nothing installed, as on a fresh machine."""
    command = [sys.executable, "-S", str(repository / "run_stream.py"), "demo"]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("rtseg: the package ")
    assert done.stderr.count("\n") == 1
    assert "python -m pip install ." in done.stderr


def test_a_missing_system_library_is_named_with_its_remedy() -> None:
    text = "libGL.so.1: cannot open shared object file: No such file or directory"
    assert missing(ImportError(text)) == "the system lacks libGL.so.1: sudo apt install libgl1"
    assert missing(ModuleNotFoundError("x", name="rtseg.nonsense")) is None


@pytest.mark.parametrize(
    "door",
    [
        ["run_stream.py", "--help"],
        ["tools/benchmark.py", "--help"],
        ["tools/doctor.py", "--help"],
        ["-m", "rtseg", "--version"],
    ],
    ids=lambda door: door[0] + door[1],
)
def test_the_doors_of_a_checkout_work(door: list[str], repository: Path) -> None:
    command = [sys.executable, *door]
    done = subprocess.run(
        command, cwd=repository, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "rtseg" in done.stdout


def test_precisions_are_named_alike() -> None:
    assert PRECISIONS == KNOWN_PRECISIONS
