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
        # The list of sections would lie over the table, which is longer than a picture.
        page.add_style_tag(
            content=f"nav {{ display: none }} #comparison {{ max-height: {_HEIGHT}px; overflow: hidden }}"
        )
        page.locator("#comparison").screenshot(path=str(picture))
        browser.close()


if __name__ == "__main__":
    draw(Path(sys.argv[1]))
