"""The picture in the README: one record under several strategies, as the report of `bench` shows it.

`python -m tools.pictures REPORT.html` writes docs/pictures/report.png. It needs Chromium.
"""

import shutil
import sys
from pathlib import Path

from tools.reference import ROOT

PICTURE = ROOT / "docs" / "pictures" / "report.png"
_WIDTH, _HEIGHT = 1000, 560  # pixels


def draw(report: Path, picture: Path = PICTURE) -> None:
    """Draw the comparison of one record in a report as a PNG."""
    from playwright.sync_api import sync_playwright

    picture.parent.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": _WIDTH, "height": 2 * _HEIGHT})
        page.goto(report.resolve().as_uri())
        page.add_style_tag(content="nav { display: none }")  # it would lie over the table
        place = page.locator("#comparison").bounding_box() or {"x": 0, "y": 0, "width": _WIDTH}
        clip = {"x": place["x"], "y": place["y"], "width": place["width"], "height": _HEIGHT}
        page.screenshot(path=str(picture), full_page=True, clip=clip)
        browser.close()


if __name__ == "__main__":
    draw(Path(sys.argv[1]))
