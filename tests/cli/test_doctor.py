"""``rtseg doctor``: a real look at this machine, and each probe where what it looks for is bad."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rtseg.cli import main
from rtseg.cli._doctor import (
    bad_versions,
    cameras,
    compiler,
    display,
    encoders,
    gpu,
    jetson,
    memory,
    opencv,
    packages,
    processor,
    weights,
)
from rtseg.cli._doctor.finding import Finding
from rtseg.cli._doctor.probe import PROBES, Examination, Probe
from rtseg.cli.doctor import printable, verdict

AMPLE = 10 * (1 << 20)  # kB


def doctor(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "rtseg", "doctor", *arguments],
        capture_output=True,
        text=True,
        timeout=200,
        env={**os.environ, **environment},
        check=False,
    )


def test_a_real_look_finds_this_machine_working() -> None:
    secret = "hunter2-token"
    done = doctor("--json", RTSEG_SECRET=secret, HTTPS_PROXY=f"http://me:{secret}@proxy:1")
    assert done.returncode == 0, done.stdout + done.stderr
    document = json.loads(done.stdout)
    assert document["ok"] is True
    assert secret not in done.stdout
    findings = [Finding(**{k: v for k, v in each.items() if k != "group"})
                for each in document["findings"]]  # fmt: skip
    by_title = {finding.title: finding for finding in findings}
    for title in ("Python", "torch", "PyTorch", "OpenCV", "PyAV", "weights", "libx264"):
        assert by_title[title].status == "ok", by_title[title]
    assert all("could not be looked at" not in finding.value for finding in findings)
    assert {each["group"] for each in document["findings"]} == {p.group for p in PROBES}


def test_the_page_fits_80_columns_and_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    few = {"compiler", "processor", "cameras"}
    monkeypatch.setattr("rtseg.cli.doctor.PROBES", [p for p in PROBES if p.module in few])
    monkeypatch.setattr("rtseg.cli.doctor.PIPED_WIDTH", 80)
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    assert main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert any(line.startswith("missing  C++ compiler") for line in lines)
    assert any("→ sudo apt install g++" in line for line in lines)
    assert lines[-1].startswith("rtseg works here: ")


def examine(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    body: str,
    *before: Probe,
    timeout_s: float = 30.0,
    essential: bool = False,
) -> Finding:
    """Run a probe module with this body in a real child; return its one finding.

    `before` run in the same child, and must have findings that are fine.
    """
    (tmp_path / "sitecustomize.py").write_text(
        "import sys, types\n"
        "module = types.ModuleType('rtseg.cli._doctor.trial')\n"
        f"exec({body!r}, module.__dict__)\n"
        "sys.modules['rtseg.cli._doctor.trial'] = module\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    probe = Probe("trial", "Trial", "trial", "shared", timeout_s, essential)
    *others, (group, finding) = Examination((*before, probe)).run()
    assert group == "Trial"
    assert bool(others) == bool(before)
    assert all(other.status == "ok" for _, other in others)
    return finding


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("def probe():\n    raise RuntimeError('no such thing')", "RuntimeError: no such thing"),
        ("def probe():\n    import os; os.abort()", "ended by SIGABRT"),
        ("def probe():\n    import os; os._exit(7)", "ended with status 7"),
        ("def probe():\n    import nonsense_package", "nonsense_package"),
        ("def probe():\n    print('chatter')\n    yield 1", "AttributeError"),
    ],
    ids=["raises", "aborts", "exits", "lacks", "answers nonsense"],
)
def test_a_probe_that_fails_is_a_line_and_no_more(
    body: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finding = examine(tmp_path, monkeypatch, body)
    assert finding.status == "warn"
    assert said in finding.value
    assert not finding.broken


def test_a_probe_that_hangs_is_ended_with_what_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = tmp_path / "grandchild"
    body = (
        "import subprocess, sys\n"
        "def probe():\n"
        f"    child = subprocess.Popen(['sleep', '60'])\n"
        f"    open({str(marker)!r}, 'w').write(str(child.pid))\n"
        "    child.wait()\n"
    )
    finding = examine(tmp_path, monkeypatch, body, timeout_s=2.0, essential=True)
    assert finding.value == "could not be looked at: no answer after 2 s"
    assert finding.broken
    deadline = time.monotonic() + 10
    process = Path("/proc") / marker.read_text() / "stat"
    while process.exists() and process.read_text().rpartition(")")[2].split()[0] != "Z":
        assert time.monotonic() < deadline, "the hanging program outlived the doctor"
        time.sleep(0.05)


def test_output_beside_the_answer_does_no_harm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = (
        "from rtseg.cli._doctor.finding import Finding\n"
        "def probe():\n"
        "    print('a library says hello', end='')\n"
        "    return [Finding('trial', 'ok', 'fine')]\n"
    )
    assert examine(tmp_path, monkeypatch, body) == Finding("trial", "ok", "fine")


def test_something_essential_missing_is_status_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A torch that can't be imported, in front of the real one."""
    (tmp_path / "torch.py").write_text("raise ImportError('libtorch.so is broken')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr("rtseg.cli.doctor.PROBES", [p for p in PROBES if p.module == "pytorch"])
    assert main(["doctor", "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    [broken] = document["findings"]
    assert document["ok"] is False
    assert broken["status"] == "missing"
    assert "libtorch.so is broken" in broken["value"]
    assert "pip install" in broken["advice"]


def test_a_probe_that_ends_its_process_takes_no_answer_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = "def probe():\n    import os; os.abort()"
    first = Probe("processor", "Machine", "processor", "shared")
    trial = examine(tmp_path, monkeypatch, body, first)
    assert "ended by SIGABRT" in trial.value


def test_the_verdict_counts() -> None:
    ok, warn = Finding("a", "ok", "1"), Finding("b", "warn", "2")
    broken = Finding("c", "missing", "3", essential=True)
    assert verdict([("g", ok)]) == "rtseg works here: no warnings"
    assert verdict([("g", ok), ("g", warn)]) == "rtseg works here: 1 warning above"
    assert verdict([("g", broken)]) == "broken, and nothing works without: c"
    assert printable("a\x1b[2J") == "a\N{REPLACEMENT CHARACTER}[2J"


def test_known_bad_versions_are_told() -> None:
    def effect(name: str, version: str, **beside: str) -> str:
        installed = {name: version} | {key.replace("_", "-"): v for key, v in beside.items()}
        found = bad_versions.warning(name, version, installed)
        return found.effect if found else ""

    assert "OPENCV_FFMPEG_CAPTURE_OPTIONS" in effect("opencv-python", "4.11.0.86")
    assert "OPENCV_FFMPEG_CAPTURE_OPTIONS" in effect("opencv-contrib-python-headless", "4.11.0.86")
    assert effect("opencv-python", "4.12.0.88") == ""
    assert "numpy 2" in effect("opencv-python", "4.9.0.80", numpy="2.1.0")
    assert effect("opencv-python", "4.9.0.80", numpy="1.26.4") == ""
    assert effect("tensorrt", "10.2.0.post1")
    assert effect("tensorrt", "10.13.2.6") == ""
    assert "too old" in effect("av", "13.1.0")
    assert "hardware decoder" in effect("av", "16.0.1")
    assert effect("av", "18.1.0") == ""
    assert effect("torch", "2.7.1+cu126")
    assert effect("torch", "2.13.0+cpu") == ""
    assert bad_versions.parts("2.5.0a0+git12") == (2, 5, 0)


def test_packages_that_lack_or_collide() -> None:
    lacking = packages.required("av", {})
    assert lacking.broken
    assert lacking.advice == "python -m pip install av"
    assert packages.required("av", {"av": "13.0"}).status == "warn"
    both = {"opencv-python": "5.0", "opencv-python-headless": "5.0"}
    collision = packages._opencv(both)
    assert collision.status == "warn"
    assert "overwrite each other" in collision.value
    assert packages.python((3, 9, 1)).status == "warn"
    assert packages.python((3, 12, 1)).status == "ok"
    found = packages.optional("tensorrt", "pip", "why", {"tensorrt-rtx": "1.5"})
    assert (found.title, found.status) == ("tensorrt_rtx", "ok")


def test_the_compiler_is_tried_and_not_only_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", "")
    [finding] = compiler.probe()
    assert (finding.status, finding.advice) == ("missing", "sudo apt install g++")
    fake = tmp_path / "g++"
    fake.write_text("#!/bin/sh\necho 'fatal error: omp.h: No such file' >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    [finding] = compiler.probe()
    assert finding.status == "warn"
    assert "omp.h" in finding.value
    monkeypatch.setenv("CXX", "nonsense-compiler")
    [finding] = compiler.probe()
    assert "CXX names 'nonsense-compiler'" in finding.value


def test_processors_are_told_apart(tmp_path: Path) -> None:
    info = tmp_path / "cpuinfo"
    info.write_text("model name\t: Old Box\nflags\t\t: fpu sse2\n")
    assert processor.instructions(info).status == "warn"
    assert "Old Box" in processor.cores(info, tmp_path).value
    info.write_text("flags : avx2 avx512f avx512bw avx512vl avx512dq avx512_vnni avx512_bf16\n")
    good = processor.instructions(info)
    assert good.status == "ok"
    assert good.value == "AVX2, AVX-512, VNNI, AVX-512 BF16"
    info.write_text("processor : 0\nFeatures : fp asimd asimdhp asimddp\n")
    arm = processor.instructions(info)
    assert (arm.status, arm.value) == (
        "ok", "NEON, FP16, dot product; no instructions for bf16",
    )  # fmt: skip
    assert processor.instructions(tmp_path / "absent").status == "warn"
    (tmp_path / "cpu.max").write_text("50000 100000\n")
    limited = processor.cores(info, tmp_path)
    assert limited.status == "warn"
    assert "0.5 of" in limited.value


def test_memory_is_judged_within_a_containers_limit(tmp_path: Path) -> None:
    info = tmp_path / "meminfo"
    info.write_text(f"MemTotal: {2 * AMPLE} kB\nMemFree: 1 kB\nMemAvailable: {AMPLE} kB\n")
    assert memory.memory(info, tmp_path) == Finding("memory", "ok", "10.0 of 20.0 GB free")
    (tmp_path / "memory.max").write_text(str(2 << 30))
    (tmp_path / "memory.current").write_text(str(1 << 30))
    limited = memory.memory(info, tmp_path)
    assert limited.status == "warn"
    assert limited.value == "1.0 of 2.0 GB free (the container's limit)"
    assert memory.shared_memory(tmp_path / "absent").status == "missing"


def test_jetsons_are_told_by_their_release(tmp_path: Path) -> None:
    release, model = tmp_path / "nv_tegra_release", tmp_path / "model"
    release.write_text("# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic")
    model.write_bytes(b"NVIDIA Jetson Orin Nano\0")
    board = jetson.board(release, model)
    assert board.status == "ok"
    assert board.value == "NVIDIA Jetson Orin Nano, L4T R36.4.3 (JetPack 6)"
    release.write_text("# R32 (release), REVISION: 7.1,")
    assert jetson.board(release, model).status == "warn"
    release.write_text("nonsense")
    assert jetson.board(release, model).status == "warn"


def test_why_a_gpu_is_not_used_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    card = gpu.Card("NVIDIA L4", "550.1", "8.9", "23034", "22000")
    assert gpu.unusable([], "2.13", None, "").status == "missing"
    build = gpu.unusable([card], "2.13.0+cpu", None, "")
    assert build.status == "warn"
    assert "NVIDIA L4" in build.value
    assert "CUDA build" in build.advice
    assert "driver" in gpu.unusable([card], "2.13", "13.0", "").advice
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'NVIDIA L4, 550.1, 8.9, 23034, 22000'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert gpu.driver_cards() == [card]
    tool.write_text("#!/bin/sh\necho 'Failed to initialize NVML: Driver/library mismatch'\nexit 9")
    assert gpu.driver_cards() == []


def test_a_display_that_does_not_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in display.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    [finding] = display.probe()
    assert finding.status == "missing"
    monkeypatch.setenv("DISPLAY", ":987")
    [finding] = display.probe()
    assert finding.status == "warn"
    assert "DISPLAY=:987: no window opens" in finding.value
    assert "-o FILE.mp4" in finding.advice


def test_cameras_that_can_not_be_used_are_told(tmp_path: Path) -> None:
    devices, system = tmp_path / "dev", tmp_path / "sys"
    devices.mkdir()
    assert cameras.cameras(devices, system)[0].status == "missing"
    (system / "video0").mkdir(parents=True)
    (system / "video0" / "name").write_text("HD Webcam\n")
    (devices / "video0").write_bytes(b"")
    (devices / "video10").symlink_to(tmp_path / "gone")
    plain, gone = cameras.cameras(devices, system)
    assert (plain.status, plain.value) == ("warn", "HD Webcam: no video device")
    assert "No such file" in gone.value


@pytest.mark.parametrize(("flags", "shown"), [(0x04200001, True), (0x04A00000, False)])
def test_only_devices_that_capture_are_cameras(
    flags: int, shown: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel's answer for a webcam, and for the metadata device beside it."""
    answer = cameras.CAPABILITY.pack(b"uvcvideo", b"HD Webcam", b"usb", 0, 0x84A00001, flags)
    monkeypatch.setattr(fcntl, "ioctl", lambda *_: answer)
    (tmp_path / "video0").write_bytes(b"")
    found = cameras.cameras(tmp_path, tmp_path)
    assert [finding.value for finding in found if finding.status == "ok"] == (
        ["HD Webcam (driver uvcvideo)"] if shown else []
    )


def test_damaged_weights_are_told(tmp_path: Path) -> None:
    from rtseg.weights import WEIGHTS_DIR

    assert weights.weights(tmp_path)[0].broken
    whole = (WEIGHTS_DIR / "ddrnet-23-slim-camvid.safetensors").read_bytes()
    (tmp_path / "half.safetensors").write_bytes(whole[: len(whole) // 2])
    assert weights.weights(tmp_path)[0].broken
    (tmp_path / "whole.safetensors").write_bytes(whole)
    good, bad = weights.weights(tmp_path)
    assert (good.status, good.value) == ("ok", "whole")
    assert bad.status == "warn"
    assert bad.value.startswith("half: ")


def test_encoders_and_opencv_are_judged() -> None:
    none = {"libx264": "missing from this build", "h264_nvenc": "no device"}
    good, absent = encoders.judged(none | {"libx264": "ok"})
    assert (good.status, absent.status, absent.value) == ("ok", "missing", "no device")
    assert encoders.judged(none | {"h264_nvenc": "ok"})[0].status == "warn"
    nothing = encoders.judged(none)[0]
    assert nothing.status == "missing"
    assert "nothing can be recorded" in nothing.value
    assert "pip install" in nothing.advice
    information = "  GUI:        QT5\n  Video I/O:\n    GStreamer:    YES (1.20.3)\n  X:\n"
    assert opencv.built_with(information, "GUI") == "QT5"
    assert opencv.built_with(information, "GStreamer") == "YES (1.20.3)"
    assert opencv.built_with(information, "X") == ""
    assert opencv.built_with(information, "absent") == ""
