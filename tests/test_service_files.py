"""The unit, the image and the compose file: what they name is there."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from rtseg.cli import build_parser

ROOT = Path(__file__).resolve().parent.parent
SERVICE = ROOT / "docs" / "service"
UNIT = SERVICE / "rtseg@.service"


def values(key: str) -> list[str]:
    lines = UNIT.read_text().splitlines()
    return [line.partition("=")[2] for line in lines if line.startswith(f"{key}=")]


def test_the_unit_runs_a_command_that_there_is() -> None:
    _, command, *arguments = shlex.split(values("ExecStart")[0])
    parsed = build_parser(command).parse_args([command, *arguments])
    assert parsed.log_json
    assert parsed.source_file == "%d/source"
    assert values("LoadCredential") == ["source:/etc/rtseg/%i.source"]
    assert values("Type") == ["notify"]
    assert int(values("WatchdogSec")[0]) > 0


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    program = shutil.which("true")
    text = UNIT.read_text().replace("/opt/rtseg/bin/rtseg", str(program))
    unit = tmp_path / "rtseg@front.service"
    unit.write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "rtseg@front" not in done.stderr


def test_the_compose_file_runs_a_command_that_there_is_without_secrets_in_it() -> None:
    compose = yaml.safe_load((SERVICE / "compose.yaml").read_text())
    service = compose["services"]["front"]
    parsed = build_parser("stream").parse_args(["stream", *service["command"]])
    assert parsed.source_file == "/run/secrets/source"
    assert set(service["secrets"]) == set(compose["secrets"])
    assert {volume.partition(":")[0] for volume in service["volumes"]} == set(compose["volumes"])
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert (ROOT / service["build"]["dockerfile"]).is_file()
    assert "environment" not in service


def test_the_image_is_made_of_files_that_there_are() -> None:
    lines = (SERVICE / "Dockerfile").read_text().replace("\\\n", " ").splitlines()
    copied = [
        word
        for line in lines
        if line.startswith("COPY ") and "--from" not in line
        for word in line.split()[1:-1]
    ]
    kept = (SERVICE / "Dockerfile.dockerignore").read_text().split()
    assert copied
    for name in copied:
        assert (ROOT / name).exists()
        assert f"!{name}" in kept
    extras = re.search(r'"\.\[(.*)\]"', "\n".join(lines))
    assert extras is not None
    project = (ROOT / "pyproject.toml").read_text()
    assert all(f"\n{extra} = [" in project for extra in extras[1].split(","))
    users = [line for line in lines if line.startswith("USER ")]
    assert users == ["USER rtseg"]


def test_the_page_names_no_flag_that_is_not_there() -> None:
    known = {
        option
        for action in build_parser("stream")
        ._subparsers._group_actions[0]
        .choices[  # type: ignore[union-attr,index,call-overload]
            "stream"
        ]
        ._actions
        for option in action.option_strings
    }
    text = (ROOT / "docs" / "service.md").read_text() + (ROOT / "docs" / "pace.md").read_text()
    named = {flag for flag in re.findall(r"(?<![\w-])--[a-z][a-z-]+", text)}
    others = {"--build-arg", "--format", "--make-rshared", "--rm", "--init", "--now", "--user"}
    assert named - others <= known
