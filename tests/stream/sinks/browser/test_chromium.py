"""The page in a real browser: what is seen there, and what each click does to the stream."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from rtseg.stream.sinks.browser import BrowserConfig

sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect

PHONE = {"width": 390, "height": 844}
PIXELS = "canvas => canvas.toDataURL()"
OVERLAPS = """list => {
    const rows = [...document.querySelectorAll(`${list} li`)].map(row => row.children);
    const boxes = rows.map(parts => [...parts].map(part => part.getBoundingClientRect()));
    const tops = boxes.map(row => Math.min(...row.map(box => box.top)));
    const ends = boxes.map(row => Math.max(...row.map(box => box.bottom)));
    return tops.slice(1).some((top, number) => top < ends[number] - 1);
}"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A headless Chromium; one for all tests of this file."""
    program = shutil.which("chromium")
    if program is None:
        required = "chromium" in os.environ.get("RTSEG_REQUIRE", "").split(",")
        (pytest.fail if required else pytest.skip)("there is no chromium: apt install chromium")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium: Any) -> Iterator[Callable[..., Any]]:
    """Open a page; what it complains of fails the test."""
    contexts, complaints = [], []

    def open_page(url: str, **settings: Any) -> Any:
        context = chromium.new_context(**settings)
        contexts.append(context)
        view = context.new_page()
        view.set_default_timeout(20_000)
        view.on("pageerror", lambda error: complaints.append(str(error)))
        view.on("console", lambda line: complaints.append(line.text) if is_bad(line) else None)
        view.goto(url)
        return view

    yield open_page
    for context in contexts:
        context.close()
    assert not complaints


def is_bad(line: Any) -> bool:
    """Return whether a line of the console tells of a mistake; a server that is away is none."""
    return line.type == "error" and not re.search(
        "ERR_|WebSocket connection|status of 401", line.text
    )


def changes(view: Any, selector: str, timeout_s: float = 15.0) -> bool:
    """Return whether a canvas shows something else within a moment."""
    canvas = view.locator(selector)
    before, end = canvas.evaluate(PIXELS), time.monotonic() + timeout_s
    while time.monotonic() < end:
        if canvas.evaluate(PIXELS) != before:
            return True
        time.sleep(0.1)
    return False


def eventually(holds: Callable[[], bool], timeout_s: float = 15.0) -> bool:
    end = time.monotonic() + timeout_s
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def overflows(view: Any) -> bool:
    """Return whether a page is wider than its window."""
    return bool(view.evaluate("document.documentElement.scrollWidth > window.innerWidth"))


def test_picture_and_charts_move_and_clicks_reach_the_stream(
    page: Any, visit: Callable[..., Any]
) -> None:
    view = visit(page.url, viewport={"width": 1280, "height": 900})
    expect(view.locator("#status")).to_have_text("live")
    for canvas in ("#picture", "#chart-age", "#chart-stages", "#chart-classes"):
        assert changes(view, canvas), f"{canvas} stands still"
    controls = page.info.controls
    view.get_by_text("Mask", exact=True).click()
    assert eventually(lambda: controls.style.mode == "mask")
    view.get_by_role("button", name="Sky").click()
    assert eventually(lambda: controls.style.hide == ("Sky",))
    view.get_by_role("button", name="Pause").click()
    assert eventually(lambda: controls.paused)
    expect(view.locator("#status")).to_have_text("paused")
    view.set_viewport_size(PHONE)
    assert not overflows(view)


@pytest.mark.slow
def test_each_control_does_what_it_says(
    feed: Callable[..., Any], visit: Callable[..., Any], tmp_path: Path
) -> None:
    feeder = feed(outputs=(str(tmp_path / "drive.mp4"),))
    controls = feeder.info.controls
    view = visit(feeder.url)
    expect(view.locator("#status")).to_have_text("live")
    for text, mode in (("Both", "side-by-side"), ("Picture", "picture"), ("Overlay", "overlay")):
        view.locator("#mode").get_by_text(text, exact=True).click()
        assert eventually(lambda mode=mode: controls.style.mode == mode), mode
    view.get_by_role("slider", name="Strength").fill("0.2")
    assert eventually(lambda: controls.style.alpha == 0.2)
    for label, field in (("Legend", "legend"), ("Figures", "hud"), ("Outlines", "outlines"),
                         ("Objects", "instances")):  # fmt: skip
        before = getattr(controls.style, field)
        view.get_by_label(label, exact=True).click()
        assert eventually(lambda f=field, b=before: getattr(controls.style, f) != b), field
    view.get_by_label("Colour-blind palette").check()
    assert eventually(lambda: controls.style.palette == "colour-blind")
    view.get_by_role("button", name="None", exact=True).click()
    assert eventually(lambda: set(controls.style.hide) == set(feeder.info.classes.names))
    view.get_by_role("button", name="All", exact=True).click()
    assert eventually(lambda: controls.style.hide == ())
    view.get_by_role("button", name="Recording", exact=True).click()
    assert eventually(lambda: not controls.recording)
    view.get_by_role("button", name="Record", exact=True).click()
    assert eventually(lambda: controls.recording)
    with view.expect_download() as saved:
        view.get_by_role("link", name="Snapshot").click()
    assert Path(saved.value.path()).read_bytes()[:2] == b"\xff\xd8"


@pytest.mark.slow
def test_pause_step_and_going_on(page: Any, visit: Callable[..., Any]) -> None:
    view = visit(page.url)
    expect(view.locator("#status")).to_have_text("live")
    view.get_by_role("button", name="Pause").click()
    expect(view.locator("#status")).to_have_text("paused")
    time.sleep(1)
    before = view.locator("#picture").get_attribute("data-picture")
    view.get_by_role("button", name="Step").click()
    expect(view.locator("#picture")).to_have_attribute("data-picture", str(int(before) + 1))
    assert not changes(view, "#picture", 1.0)
    view.get_by_role("button", name="Go on").click()
    expect(view.locator("#status")).to_have_text("live")
    assert changes(view, "#picture")


@pytest.mark.slow
def test_a_lost_signal_events_and_a_server_that_comes_back(
    feed: Callable[..., Any], visit: Callable[..., Any]
) -> None:
    feeder = feed()
    view = visit(feeder.url)
    expect(view.locator("#status")).to_have_text("live")
    feeder.info.reception.lose("no frame for 2.1 s")
    feeder.info.events.add("lost", "signal lost: no frame for 2.1 s")
    expect(view.locator("#status")).to_have_text(re.compile(r"signal lost \d s: no frame"))
    expect(view.locator("#events")).to_contain_text("no frame for 2.1 s")
    for number in range(20):
        feeder.info.events.add("retry failed", f"retry {number} failed: {'a long reason ' * 8}")
    expect(view.locator("#events")).to_contain_text("retry 19 failed")
    assert not view.evaluate(OVERLAPS, "#events")
    feeder.info.reception.find()
    expect(view.locator("#status")).to_have_text("live")
    feeder.close()
    expect(view.locator("#status")).to_contain_text("no connection")
    expect(view.locator("#veil")).to_be_visible()
    time.sleep(2)
    feed(feeder.url)
    expect(view.locator("#status")).to_have_text("live")
    expect(view.locator("#veil")).to_be_hidden()
    assert changes(view, "#picture")


@pytest.mark.slow
def test_several_cameras_in_a_grid_and_one_at_a_time(
    feed: Callable[..., Any], visit: Callable[..., Any]
) -> None:
    feeders = [feed(key=f"cam-{number}", fps=8) for number in range(8)]
    view = visit(feeders[0].url)
    expect(view.locator(".tile")).to_have_count(8)
    for number in range(8):  # more than a browser's connections to a server
        assert changes(view, f".tile >> nth={number} >> canvas"), number
    view.get_by_role("button", name="Pause").click()
    assert eventually(lambda: all(feeder.info.controls.paused for feeder in feeders))
    view.get_by_role("button", name="Go on").click()
    view.get_by_role("button", name="Show cam-5").click()
    expect(view.locator("#stage")).to_be_visible()
    assert changes(view, "#picture")
    view.get_by_text("Mask", exact=True).click()
    assert eventually(lambda: feeders[5].info.controls.style.mode == "mask")
    assert feeders[4].info.controls.style.mode == "overlay"
    view.get_by_role("button", name="All", exact=True).first.click()
    expect(view.locator("#grid")).to_be_visible()


@pytest.mark.slow
def test_films_are_listed_and_play(
    feed: Callable[..., Any],
    visit: Callable[..., Any],
    make_film: Callable[[Path], Path],
    tmp_path: Path,
) -> None:
    films = [make_film(tmp_path / name) for name in ("drive.mp4", "drive.mkv")]
    view = visit(feed(outputs=tuple(map(str, films))).url)
    video = view.locator("#player-film")
    for film in films:
        view.get_by_role("button", name=f"Play {film.name}").click()
        assert eventually(lambda: video.evaluate("v => v.currentTime > 0.3 && v.videoWidth")), film
        assert video.evaluate("v => v.videoWidth") == 320
        view.get_by_role("button", name="Close").click()
        expect(view.locator("#player")).to_be_hidden()


@pytest.mark.slow
def test_the_token_by_link_and_by_hand(feed: Callable[..., Any], visit: Callable[..., Any]) -> None:
    token = "a-token-for-tests"
    feeder = feed(config=BrowserConfig(token=SecretStr(token)))
    by_link = visit(f"{feeder.url}/#token={token}")
    expect(by_link.locator("#status")).to_have_text("live")
    assert token not in by_link.evaluate("location.href")
    assert token not in by_link.evaluate("document.cookie")
    assert changes(by_link, "#picture")
    by_hand = visit(feeder.url)
    by_hand.get_by_role("textbox", name="Token").fill("not-the-token-at-all")
    by_hand.get_by_role("button", name="Open").click()
    expect(by_hand.locator("#login-problem")).to_have_text("the token is wrong")
    by_hand.get_by_role("textbox", name="Token").fill(token)
    by_hand.get_by_role("button", name="Open").click()
    expect(by_hand.locator("#status")).to_have_text("live")


@pytest.mark.slow
def test_a_phone_shows_it_all_and_its_controls_are_large_enough(
    page: Any, visit: Callable[..., Any]
) -> None:
    view = visit(page.url, viewport=PHONE, is_mobile=True, has_touch=True, device_scale_factor=3)
    expect(view.locator("#status")).to_have_text("live")
    assert changes(view, "#picture")
    assert not overflows(view)
    for button in view.locator(".bar button:visible, .classes button").all():
        assert button.bounding_box()["height"] >= 44
    view.get_by_text("Mask", exact=True).tap()
    assert eventually(lambda: page.info.controls.style.mode == "mask")


@pytest.mark.slow
def test_film_by_webrtc_where_its_package_is_installed(
    feed: Callable[..., Any], visit: Callable[..., Any]
) -> None:
    pytest.importorskip("aiortc")
    view = visit(feed(config=BrowserConfig()).url)
    expect(view.locator("#film")).to_be_visible(timeout=20_000)
    video = view.locator("#film")
    assert eventually(
        lambda: video.evaluate("v => v.getVideoPlaybackQuality().totalVideoFrames") > 20
    )
    assert video.evaluate("v => v.videoWidth") == 320
