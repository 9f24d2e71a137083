"""docs/networks.md names every family, and its figures are those of the document beside it."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import pytest

from rtseg.errors import DataError
from rtseg.networks import NETWORKS
from rtseg.networks.families import families


@pytest.fixture(scope="module")
def tool(repository: Path) -> dict[str, Any]:
    return runpy.run_path(str(repository / "tools" / "gallery.py"))


@pytest.fixture(scope="module")
def page(repository: Path) -> str:
    return (repository / "docs" / "networks.md").read_text(encoding="utf-8")


def test_the_figures_are_those_of_the_document(tool: dict[str, Any], page: str) -> None:
    comparison = tool["read_comparison"](tool["DOCUMENT"])
    assert tool["filled"](page, comparison) == page, "run tools/gallery.py"
    assert {result.name for result in comparison.networks} <= set(NETWORKS)


def test_every_family_has_its_figures(page: str) -> None:
    shown = set(re.findall(r"<!-- figures: ([a-z0-9-]+) -->", page))
    assert shown <= set(NETWORKS)
    assert not [family.__name__ for family, names in families().items() if not shown & set(names)]


def test_a_section_has_its_five_lines_and_names_a_file(page: str, repository: Path) -> None:
    sections = re.split(r"(?m)^## (?=20\d\d · )", page)[1:]
    years = [int(section[:4]) for section in sections]
    assert years == sorted(years), "in the order of the ideas"
    for section in sections:
        lines = re.findall(r"(?m)^- \*\*(.+?)\*\* ", section)
        assert lines == ["Idea", "Paper", "Structure", "Figures", "Use it"], section[:60]
        (file,) = re.findall(r"`(rtseg/networks/\w+\.py)`", section)
        assert (repository / file).is_file()


def test_new_figures_take_the_place_of_old_ones(tool: dict[str, Any]) -> None:
    comparison = tool["read_comparison"](tool["DOCUMENT"])
    name = comparison.networks[0].name
    page = (
        f"a <!-- figures: {name} -->old<!-- /figures --> b <!-- figures -->\nold\n<!-- /figures -->"
    )
    new = tool["filled"](page, comparison)
    assert "old" not in new
    assert f"<!-- figures: {name} -->`{name}`: " in new
    assert f"| {name} |" in new
    assert tool["filled"](new, comparison) == new


def test_what_cannot_be_used_is_said(tool: dict[str, Any], tmp_path: Path) -> None:
    comparison = tool["read_comparison"](tool["DOCUMENT"])
    with pytest.raises(DataError, match="asks for the figures of 'nonsense'"):
        tool["filled"]("<!-- figures: nonsense --><!-- /figures -->", comparison)
    with pytest.raises(DataError, match="can't read"):
        tool["read_comparison"](tmp_path / "missing.json")
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(DataError, match=r"is no comparison\.json"):
        tool["read_comparison"](tmp_path / "other.json")
