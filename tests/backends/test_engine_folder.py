"""Engine folders are read with care: nothing in one is believed before it is checked."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rtseg.backends.engine_folder import (
    BrokenFolder,
    EngineFolder,
    engines_root,
    list_engines,
    open_engine_folder,
    remove_engine,
)
from rtseg.errors import EngineError

MakeFolder = Callable[..., EngineFolder]


def rewrite(folder: EngineFolder, **changes: Any) -> None:
    path = folder.path / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_what_was_written_is_read_back(make_folder: MakeFolder) -> None:
    folder = make_folder(output="scores", batch=4, arguments={"level": 3, "fast": True})
    assert open_engine_folder(folder.path) == folder
    assert folder.path.name.startswith("linknet-camvid-96x64-inductor-fp32-batch4-scores-")
    assert folder.file("engine.bin").read_bytes() == b"machine code"
    assert folder.size_bytes() == 12


def test_the_manifest_is_for_people_too(make_folder: MakeFolder) -> None:
    text = (make_folder().path / "manifest.json").read_text()
    assert '"precision": "fp32"' in text
    assert len(text.splitlines()) > 30


@pytest.mark.parametrize("name", ["../engine.bin", "/etc/passwd", "a/b", "..", "", ".hidden"])
def test_file_names_that_lead_elsewhere_are_refused(make_folder: MakeFolder, name: str) -> None:
    folder = make_folder()
    rewrite(folder, files=[{"name": name, "sha256": "0" * 64, "size_bytes": 1}])
    with pytest.raises(EngineError, match=r"can't be used.*name"):
        open_engine_folder(folder.path)


def test_a_link_out_of_the_folder_is_refused(make_folder: MakeFolder, tmp_path: Path) -> None:
    folder = make_folder()
    outside = tmp_path / "outside.bin"
    engine = folder.path / "engine.bin"
    outside.write_bytes(engine.read_bytes())
    engine.unlink()
    engine.symlink_to(outside)
    with pytest.raises(EngineError, match="no regular file"):
        folder.check_files()


def test_a_linked_manifest_is_refused(make_folder: MakeFolder, tmp_path: Path) -> None:
    folder = make_folder()
    moved = (folder.path / "manifest.json").rename(tmp_path / "elsewhere.json")
    (folder.path / "manifest.json").symlink_to(moved)
    with pytest.raises(EngineError, match="no regular file"):
        open_engine_folder(folder.path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"machinE code", "was changed or damaged"),
        (b"machine code and more", "21 bytes, its manifest says 12"),
        (None, "is missing"),
    ],
)
def test_changed_files_are_refused(
    make_folder: MakeFolder, content: bytes | None, message: str
) -> None:
    folder = make_folder()
    engine = folder.path / "engine.bin"
    engine.unlink() if content is None else engine.write_bytes(content)
    with pytest.raises(EngineError, match=message):
        folder.file("engine.bin")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "not valid JSON"),
        (b"\xff\xfe", "not UTF-8"),
        (b"[]", "format version None"),
        (b'{"format_version": 2}', "format version 2; this rtseg reads 1"),
        (b'{"format_version": true}', "can't be used|format version"),
        (b" " * (1 << 20) + b"{}", "larger than 1048576 bytes"),
        (b"[" * 100_000, "not valid JSON"),
    ],
    ids=["cut", "binary", "list", "newer", "bool", "huge", "deep"],
)
def test_hostile_manifests_are_refused(
    make_folder: MakeFolder, content: bytes, message: str
) -> None:
    folder = make_folder()
    (folder.path / "manifest.json").write_bytes(content)
    with pytest.raises(EngineError, match=message):
        open_engine_folder(folder.path)


@pytest.mark.parametrize(
    "change",
    [
        {"files": []},
        {"surprise": 1},
        {"channel_order": "rgb"},
        {"classes": {"name": "x", "names": ["a", "a"], "colours_rgb": [[0, 0, 0], [0, 0, 0]]}},
        {"classes": {"name": "x", "names": ["a"], "colours_rgb": [[0, 0, 999]]}},
        {"build_s": -1},
        {"mean_rgb": [0.5, 0.5, None]},
    ],
    ids=str,
)
def test_manifests_that_make_no_sense_are_refused(
    make_folder: MakeFolder, change: dict[str, Any]
) -> None:
    folder = make_folder()
    rewrite(folder, **change)
    with pytest.raises(EngineError, match=r"manifest\.json can't be used"):
        open_engine_folder(folder.path)


def test_control_characters_do_not_reach_the_terminal(make_folder: MakeFolder) -> None:
    folder = make_folder()
    rewrite(folder, **{"\x1b[2Jkey": 1})
    with pytest.raises(EngineError) as caught:
        open_engine_folder(folder.path)
    assert "\x1b" not in str(caught.value)


def test_no_engine_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"is no engine folder: it holds no manifest\.json"):
        open_engine_folder(tmp_path)


def test_engines_are_listed_and_broken_ones_explained(make_folder: MakeFolder, root: Path) -> None:
    good, broken = make_folder(), make_folder(precision="bf16")
    (broken.path / "manifest.json").write_text("{")
    (root / ".half.building").mkdir()
    (root / "README.md").write_text("about")
    listed = {entry.path: entry for entry in list_engines(root)}
    assert listed[good.path] == good
    found = listed[broken.path]
    assert isinstance(found, BrokenFolder)
    assert "not valid JSON" in found.reason
    assert len(listed) == 2
    assert list_engines(root / "absent") == []


def test_engines_are_removed_and_nothing_else(make_folder: MakeFolder, root: Path) -> None:
    folder = make_folder()
    remove_engine(folder.path)
    assert not folder.path.exists()
    (root / "holiday").mkdir()
    with pytest.raises(EngineError, match="no engine folder and stays"):
        remove_engine(root / "holiday")
    assert (root / "holiday").is_dir()


def test_removing_a_link_leaves_what_it_points_to(make_folder: MakeFolder, root: Path) -> None:
    folder = make_folder()
    link = root / "link"
    link.symlink_to(folder.path, target_is_directory=True)
    remove_engine(link)
    assert not os.path.lexists(link)
    folder.check_files()


def test_the_root_is_the_checkout_unless_named(repository: Path, tmp_path: Path) -> None:
    assert engines_root(tmp_path) == tmp_path
    assert engines_root() == repository / "engines"
