"""HTML in one style: self-contained pages, tables, and fragments for notebooks."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any

from structout import surfaces

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
# Notebooks have a theme of their own, so a fragment takes the notebook's colours.
_FRAGMENT = (
    ".structout{font-size:.92em;line-height:1.5}.structout table{border-collapse:collapse;margin:.4em 0}"
    ".structout td,.structout th{padding:.15em .7em;text-align:left;vertical-align:top;border-bottom:1px solid #8884;"
    "unicode-bidi:isolate}.structout .text{white-space:pre-wrap;overflow-wrap:anywhere;margin:.3em 0}"
    ".structout mark{background:#fc08;color:inherit;border-radius:2px}.structout code{background:none}"
    ".structout small{opacity:.75}"
)

LINES = 200  # of one table in a notebook


class Html(str):
    """Text that is HTML already; all other text is escaped."""

    __slots__ = ()


def page(title: str, body: Html, *, told: str = "") -> str:
    """A page of its own, without scripts. `told` says in a sentence what the page shows; an index lists it."""
    shown = surfaces.html(title)
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f'<title>{shown}</title>\n<meta name="generator" content="structout">\n'
        f'<meta name="description" content="{surfaces.html(told)}">\n<style>\n{style()}</style>\n</head>\n'
        f"<body>\n<header>\n<h1>{shown}</h1>\n</header>\n<main>\n{body}</main>\n</body>\n</html>\n"
    )


@cache
def style() -> str:
    """The style of every page, light and dark."""
    return Path(__file__).with_name("style.css").read_text(encoding="utf-8")


def fragment(body: Html) -> str:
    """HTML for the output cell of a notebook."""
    return f'<div class="structout"><style>{_FRAGMENT}</style>{body}</div>'


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], name: str, *, stacked: bool = False) -> Html:
    """A table that scrolls where it is too wide. `name` is its name for screen readers. A table that is `stacked` shows
    each cell in a line of its own with its head on a narrow page, so that no column is out of sight.
    """
    head = "".join(f'<th scope="col">{cell(one)}</th>' for one in heads)

    def start(column: int) -> str:
        return f'<td data-head="{surfaces.html(heads[column])}">' if stacked else "<td>"

    filled = ("".join(f"{start(at)}{cell(one)}</td>" for at, one in enumerate(row)) for row in rows)
    lines = "".join(f"<tr>{cells}</tr>\n" for cells in filled)
    label, kind = surfaces.html(name), "words stacked" if stacked else "words"
    return Html(
        f'<div class="scroll" tabindex="0" role="region" aria-label="{label}"><table class="{kind}">'
        f"<thead><tr>{head}</tr></thead><tbody>\n{lines}</tbody></table></div>\n"
    )


def tag(word: str, kind: str) -> Html:
    """A word in a frame, in the colour of `kind`: good, bad or doubtful."""
    return Html(f'<b class="tag {surfaces.html(kind)}">{surfaces.html(word)}</b>')


def link(path: str, text: str) -> Html:
    """A link to a file by its relative path."""
    return Html(f'<a href="{surfaces.html(surfaces.address(path))}">{surfaces.html(text)}</a>')


def marked(text: str, spans: Mapping[tuple[int, int], str]) -> Html:
    """A text with spans of its characters marked; the title of a mark names its span. A span inside another is left
    out.
    """
    parts, at = [], 0
    for first, last in sorted(spans, key=lambda span: (span[0], -span[1])):
        if at <= first < last <= len(text):
            name = surfaces.html(spans[first, last])
            parts.append(
                f'{surfaces.html(text[at:first])}<mark title="{name}">{surfaces.html(text[first:last])}</mark>'
            )
            at = last
    return Html(f'<div class="text">{"".join(parts)}{surfaces.html(text[at:])}</div>')


def drawn(shown: Any) -> str:
    """What rich draws, as a fragment."""
    from rich.console import Console

    # In a notebook, a console would show what it draws by itself, too.
    console = Console(record=True, width=120, file=StringIO(), markup=False, emoji=False, force_jupyter=False)
    console.print(shown)
    return fragment(
        Html(console.export_html(inline_styles=True, code_format='<pre style="line-height:1.3">{code}</pre>'))
    )


def lists(told: Mapping[str, Sequence[object]]) -> Html:
    """A table of one column for each list that holds something, with at most 200 lines each."""
    return Html(
        "".join(table([name], [[str(one)] for one in some[:LINES]], name) for name, some in told.items() if some)
    )


def cell(text: str) -> Html:
    """The text as HTML."""
    return text if isinstance(text, Html) else Html(surfaces.html(text))
