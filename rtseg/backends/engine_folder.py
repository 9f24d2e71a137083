"""Engines on disk: one folder each, with a manifest that is believed only after it was checked.

The hashes show that a file is the one its manifest was written for: damage and mix-ups are found,
a forger who rewrites both is not. Engine files of the backends that hold machine code run when
they are loaded, so an engine folder from a stranger deserves the trust of a program from a
stranger.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path
from pydantic import ValidationError

from rtseg.backends.manifest import FORMAT_VERSION, EngineFile, Manifest
from rtseg.errors import EngineError

log = logging.getLogger(__name__)

MANIFEST = "manifest.json"
BUILD_LOG = "build.log"
LARGEST_MANIFEST_BYTES = 1 << 20
LARGEST_FOLDERS = 10_000


@dataclass(frozen=True, slots=True)
class EngineFolder:
    """A folder whose manifest was read and found in order.

    Args:
        path: the folder.
        manifest: what it says.
    """

    path: Path
    manifest: Manifest

    def file(self, name: str) -> Path:
        """Return the path of an engine file, once its size and hash agree with the manifest.

        Raises:
            EngineError: the manifest doesn't list it, or the file is missing, changed, or a link.
        """
        for listed in self.manifest.files:
            if listed.name == name:
                return _checked(self.path / name, listed)
        names = ", ".join(listed.name for listed in self.manifest.files)
        raise EngineError(f"{self.path} lists no engine file {name!r}; it has {names}")

    def check_files(self) -> None:
        """Compare every engine file with the manifest.

        Raises:
            EngineError: a file is missing, changed, or a link.
        """
        for listed in self.manifest.files:
            _checked(self.path / listed.name, listed)

    def size_bytes(self) -> int:
        """Return the size of the engine files together."""
        return sum(listed.size_bytes for listed in self.manifest.files)


@dataclass(frozen=True, slots=True)
class BrokenFolder:
    """A folder that can't be used as an engine, and why."""

    path: Path
    reason: str


def open_engine_folder(path: Path) -> EngineFolder:
    """Read and check the manifest of a folder; its engine files are checked when they are used.

    Raises:
        EngineError: there is no manifest, or it is damaged or of another format version.
    """
    text = _manifest_text(path)
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise EngineError(f"{path / MANIFEST} is not valid JSON: {error}") from None
    version = values.get("format_version") if isinstance(values, dict) else None
    if version != FORMAT_VERSION:
        raise EngineError(
            f"{path / MANIFEST} has the format version {version!r}; this rtseg reads "
            f"{FORMAT_VERSION}: export the engine again"
        )
    try:
        manifest = Manifest.model_validate_json(text, strict=True)
        manifest.class_set()
    except (ValidationError, ValueError) as error:
        raise EngineError(f"{path / MANIFEST} can't be used: {_problems(error)}") from None
    return EngineFolder(path, manifest)


def engines_root(explicit: Path | None = None) -> Path:
    """Return the folder that engines live in; it need not exist yet.

    `explicit`, else ``engines/`` of the checkout that the package runs from, else a folder in the
    user's cache.
    """
    if explicit is not None:
        return explicit
    checkout = Path(__file__).resolve().parents[2]
    if (checkout / "pyproject.toml").is_file() and os.access(checkout / "engines", os.W_OK):
        return checkout / "engines"
    return user_cache_path("rtseg", appauthor=False) / "engines"


def list_engines(root: Path) -> list[EngineFolder | BrokenFolder]:
    """Return every engine folder under `root` by name, broken ones with the reason."""
    found: list[EngineFolder | BrokenFolder] = []
    for path in engine_paths(root):
        try:
            found.append(open_engine_folder(path))
        except EngineError as error:
            found.append(BrokenFolder(path, str(error)))
    return found


def engine_paths(root: Path) -> list[Path]:
    """Return the folders under `root` that hold a manifest, sorted; none where there is no root."""
    try:
        with os.scandir(root) as entries:
            names = sorted(e.name for e in entries if e.is_dir() and not e.name.startswith("."))
    except OSError:
        return []
    paths = [root / name for name in names[:LARGEST_FOLDERS]]
    return [path for path in paths if (path / MANIFEST).is_file()]


def remove_engine(path: Path) -> None:
    """Delete an engine folder, broken or not.

    Raises:
        EngineError: it holds no manifest, so it is no engine folder, or it can't be deleted.
    """
    if not (path / MANIFEST).is_file():
        raise EngineError(f"{path} holds no {MANIFEST}, so it is no engine folder and stays")
    try:
        if path.is_symlink():
            path.unlink()
        else:
            # The manifest goes first: what an interrupted removal leaves is no engine.
            (path / MANIFEST).unlink()
            shutil.rmtree(path)
    except OSError as error:
        raise EngineError(f"can't remove {path}: {error.strerror or error}") from error


def describe_file(path: Path) -> EngineFile:
    """Return the manifest's entry for an engine file that was just written."""
    return EngineFile(name=path.name, sha256=file_sha256(path), size_bytes=path.stat().st_size)


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's content in hex."""
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def write_manifest(folder: Path, manifest: Manifest) -> EngineFolder:
    """Write ``manifest.json`` into a folder that is not in use yet, and return both."""
    path = folder / MANIFEST
    with path.open("w", encoding="utf-8") as file:
        file.write(manifest.to_json())
        file.flush()
        os.fsync(file.fileno())
    return EngineFolder(folder, manifest)


def _manifest_text(folder: Path) -> str:
    path = folder / MANIFEST
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            raise EngineError(f"{path} is no regular file; an engine's manifest is one")
        with path.open("rb") as file:
            content = file.read(LARGEST_MANIFEST_BYTES + 1)
    except FileNotFoundError:
        raise EngineError(f"{folder} is no engine folder: it holds no {MANIFEST}") from None
    except OSError as error:
        raise EngineError(f"can't read {path}: {error.strerror or error}") from error
    if len(content) > LARGEST_MANIFEST_BYTES:
        raise EngineError(f"{path} is larger than {LARGEST_MANIFEST_BYTES} bytes; not read")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise EngineError(f"{path} is not UTF-8 text") from None


def _checked(path: Path, listed: EngineFile) -> Path:
    again = "export the engine again"
    try:
        status = path.lstat()  # a link could lead out of the folder
        if not stat.S_ISREG(status.st_mode):
            raise EngineError(f"{path} is no regular file; {again}")
        if status.st_size != listed.size_bytes:
            raise EngineError(
                f"{path} has {status.st_size} bytes, its manifest says {listed.size_bytes}; {again}"
            )
        actual = file_sha256(path)
    except FileNotFoundError:
        raise EngineError(f"{path} is missing; {again}") from None
    except OSError as error:
        raise EngineError(f"can't read {path}: {error.strerror or error}") from error
    if actual != listed.sha256:
        raise EngineError(
            f"{path} was changed or damaged: its SHA-256 is {actual[:12]}…, the manifest's "
            f"{listed.sha256[:12]}…; {again}"
        )
    return path


def _problems(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    shown = [_problem(problem) for problem in error.errors(include_input=False)[:5]]
    more = error.error_count() - len(shown)
    return "; ".join(shown) + (f"; and {more} more" if more > 0 else "")


def _problem(problem: Any) -> str:
    where = ascii(".".join(str(part) for part in problem["loc"]))[:80]
    return f"{where}: {problem['msg']}"
