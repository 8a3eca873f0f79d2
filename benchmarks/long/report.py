"""The sections of results/long.md, each measured by itself."""

from pathlib import Path
from typing import Final

RESULTS: Final = Path(__file__).parent.parent / "results" / "long.md"
SECTIONS: Final = ("windows", "lists", "completeness", "model")
_MARK: Final = "<!-- {} -->\n"


def write(name: str, section: str) -> None:
    """Put a section into the results, in the place of the one measured before; the other sections stay."""
    known = RESULTS.read_text(encoding="utf-8") if RESULTS.is_file() else ""
    kept = {one: _section(known, one) for one in SECTIONS} | {name: section.strip()}
    body = "\n\n".join(_MARK.format(one) + text for one, text in kept.items() if text)
    RESULTS.write_text(f"# Long documents\n\n{body}\n", encoding="utf-8")


def _section(known: str, name: str) -> str:
    _, found, after = known.partition(_MARK.format(name))
    return after.partition("<!-- ")[0].strip() if found else ""
