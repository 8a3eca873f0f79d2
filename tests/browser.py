"""Chromium, driven by Playwright, and axe-core for faults of accessibility."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]
SCHEMES = ("light", "dark")
WIDTHS = (1280, 390)


@contextmanager
def started() -> Iterator["Browser"]:
    """A browser. Without Chromium, a test is skipped; in CI, which installs Chromium, it fails."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: install the dev extra")
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        _missing("Chromium is not installed, so no page was looked at: apt-get install chromium")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=_FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def opened(browser: "Browser", file: Path, scheme: Any = "light", width: int = 1280) -> Iterator["Page"]:
    """A page that shows a file. Fails if the page writes an error to the console, or asks for anything but files."""
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    try:
        page = context.new_page()
        faults: list[str] = []
        page.on("console", lambda told: faults.append(told.text) if told.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", lambda asked: None if asked.url.startswith("file:") else faults.append(asked.url))
        page.goto(file.as_uri())
        yield page
        assert faults == []
    finally:
        context.close()


def accessibility(page: "Page") -> list[str]:
    """The serious and critical faults that axe-core finds, each with the first element that has it."""
    spec = find_spec("axe_playwright_python")
    if spec is None or spec.origin is None:
        _missing("axe-core is not installed, so no page was judged: install axe-playwright-python")
    page.evaluate(Path(spec.origin).with_name("axe.min.js").read_text(encoding="utf-8"))
    found = page.evaluate("async () => (await axe.run()).violations")
    return [
        f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found if one["impact"] in ("serious", "critical")
    ]


def _missing(sentence: str) -> NoReturn:
    if os.environ.get("CI", "").lower() in ("true", "1"):
        pytest.fail(sentence)
    pytest.skip(sentence)
