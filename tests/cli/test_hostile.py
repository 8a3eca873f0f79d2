"""Data that speak to a terminal, to the runner of a CI job or to a report's reader, through every command."""

import json
import re
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest

from structout.cli.commands import app
from structout.gate.reports import FORMATS
from tests.conftest import Shell, needs
from tests.test_surfaces import HOSTILE, problems

KEY = HOSTILE.replace("\ud800", "")  # half a surrogate pair is in no JSON document, so in no key of one
NAME = re.sub("[/\0]", "", HOSTILE).replace("\ud800", "\udcff")  # of a file: bytes that are not UTF-8
FIRST = f"::set-output name=x::y\r{NAME}"
CLOSED = {"title": KEY, "type": "object", "properties": {"kind": {"type": "string"}}, "additionalProperties": False}
OPEN = {"title": KEY, "description": KEY, "type": "object", "properties": {KEY: {"type": "integer", "const": 1}}}
BAD = json.dumps({"kind": "\x1b[2J\n::x::", KEY: 1})
BENCH = ["--strategy", "Prompted()", "--model", "scripted:answers.json", "--max-tokens", "60", "--log", "log.jsonl"]


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to stand in, whose files have hostile names and hold hostile data."""
    monkeypatch.chdir(tmp_path)
    Path("closed.json").write_text(json.dumps(CLOSED))
    Path("open.json").write_text(json.dumps(OPEN))
    Path("answers.json").write_text(json.dumps({"": BAD}))
    for name in (FIRST, f"{FIRST}.jsonl"):
        Path(name).write_text(f"{BAD}\n{BAD}\n")
    Path(f"{NAME}.csv").write_text("id,text\n1,x\n")
    row = {"id": KEY, "text": KEY, HOSTILE: HOSTILE}
    lines = [row, {**row, "id": HOSTILE}, HOSTILE]
    Path("rows.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    Path("text").write_text(f'{{kind: "\x1b[2J{KEY[:40]}", size: 1,}}')
    Path("data").mkdir()
    Path("data/schema.json").write_text(json.dumps(OPEN))
    labels = [{"key": f"{KEY}{n}", "text": f"{KEY} {n}", "expected": {KEY: 1}} for n in range(8)]
    Path("data/records.jsonl").write_text("\n".join(map(json.dumps, labels)))
    Path("x.toml").write_text(
        f'dataset = "data"\nmodels = ["scripted:answers.json"]\nperturbations = ["whitespace"]\n'
        f'[strategies]\n{json.dumps(KEY)} = "Prompted()"\n"[red]x[/]" = "Repair(Prompted())"\n'.replace(
            "\x7f", r"\u007f"
        )
    )
    return tmp_path


# Words, what stands on stdin, and the exit code.
CASES: list[tuple[list[str], str, int]] = [
    (["validate", FIRST, "-s", "closed.json"], "", 1),
    (["validate", "-s", "closed.json"], f"{BAD}\n\x1b[31m::x::\n", 1),
    (["validate", FIRST, "-s", "closed.json", "--json"], "", 1),
    (["validate", FIRST, "-s", "open.json", "--output", "-"], "", 0),
    (["validate", FIRST, "-s", "closed.json", "--rejects", "-"], "", 1),
    (["validate", FIRST, "-s", "closed.json", "--repair", "any", "--output", "-"], "", 0),
    (["validate", FIRST, "-s", "open.json", "--min-field", f"{KEY}=0.5"], "", 0),
    (["validate", FIRST, "-s", "open.json", "--min-field", f"{KEY}x=0.5"], "", 2),
    (["validate", FIRST, "-s", "open.json", "--report", f"{NAME}=x"], "", 2),
    (["validate", f"{NAME}.csv", "-s", "closed.json"], "", 1),
    (["view", "data", "--output", f"{NAME}.html"], "", 2),
    (["validate", f"{FIRST}.none", "-s", "closed.json"], "", 2),
    (["validate", FIRST, "-s", FIRST], "", 2),
    (["validate", FIRST, "-s", f"{NAME}.json"], "", 2),
    (["validate", FIRST, "-s", f"{NAME}.py:{NAME}"], "", 2),
    (["validate", f"{NAME}.duckdb#{NAME}", "-s", "closed.json"], "", 2),
    (["validate", f"sql:SELECT '{NAME}", "-s", "closed.json"], "", 2),
    (["validate", FIRST, FIRST, "-s", "closed.json"], "", 2),
    (["validate", f"--{NAME}"], "", 2),
    ([NAME], "", 2),
    ([f"--{NAME}"], "", 2),
    (["model", NAME], "", 2),
    (["forget", FIRST, "--key", NAME], "", 2),
    (["status", NAME], "", 2),
    (["forget", f"{NAME}.journal", "--key", NAME], "", 2),
    (["preview", "-s", "open.json", "--text", HOSTILE], "", 0),
    (["preview", f"{NAME}.jsonl", "-s", "open.json", "--column", NAME], "", 2),
    (["validate", FIRST, "-s", "closed.json", "--column", KEY, "--keep", f"{NAME}", "--output", "-"], "", 2),
    (["preview", "-s", "open.json", "--text", HOSTILE, "--json"], "", 0),
    (["preview", "-s", "open.json", "--strategy", f"Reask('{NAME}')"], "", 2),
    (["preview", "-s", "open.json", "--model", f"scripted:{NAME}"], "", 2),
    (["repair", "text", "-s", "closed.json", "--edits", "--policy", "any"], "", 0),
    (["repair", "text", "-s", "closed.json", "--edits"], "", 1),
    (["repair", "text", "-s", "closed.json"], "", 1),
    (["repair", "text", "-s", "closed.json", "--policy", "any"], "", 0),
    (["repair", "text", "-s", "closed.json", "--policy", "any", "--json"], "", 0),
    (["repair", "text", "-s", "closed.json", "--policy", NAME], "", 2),
    (["extract", "-s", "closed.json", "--model", "scripted:answers.json"], f"{KEY}\n", 1),
    (["extract", "-s", "closed.json", "--model", "scripted:answers.json", "--json"], f"{KEY}\n", 1),
    (["extract", "-s", "open.json", "--model", "scripted:answers.json"], f"{KEY}\n", 0),
    (["extract", "-s", "open.json", "--model", f"{NAME}:{NAME}"], "x", 2),
    (["extract", f"{NAME}.csv", "--column", NAME, "-s", "open.json", "--model", "scripted:answers.json"], "", 2),
    (["audit", "open.json"], "", 0 if find_spec("llguidance") else 2),
    (["audit", "open.json", "--json"], "", 0 if find_spec("llguidance") else 2),
    (["bench", "x.toml", "--log", "log.jsonl", "--html", "page.html"], "", 0),
    (["bench", "x.toml", "--log", "log.jsonl", "--json"], "", 0),
    (["bench", "x.toml", "--log", "log.jsonl", "--markdown"], "", 0),
    (["bench", "x.toml", "--log", "log.jsonl", "--suspect"], "", 0),
    (["bench", "x.toml", "--log", "log.jsonl", "--suspect", "--markdown"], "", 0),
    (["bench", "x.toml", "--log", "log.jsonl", "--dry-run"], "", 0),
    (["bench", "x.toml", "--log", f"{NAME}.jsonl", "--sweep", f"temperature=0,{NAME}"], "", 2),
    (["bench", NAME, *BENCH], "", 2),
    (["recommend", "data", "-t", "yield>=0.1", "--compliance-only", "--output", f"{FIRST}.strategy", *BENCH], "", 0),
    (["recommend", "data", "-t", "yield>=0.999", "--compliance-only", *BENCH], "", 1),
    (["recommend", "data", "-t", NAME, *BENCH], "", 2),
    (["certify", "data", "--output", f"{FIRST}.strategy", *BENCH], "", 1),
    (["finetune", f"{NAME}.jsonl", "--output", NAME], "", 2),
    (["finetune", "data", "--output", NAME, "--model", f"scripted:{NAME}"], "", 2),
    (["init", "new", "--sample", "rows.jsonl", "--model", "scripted:answers.json"], "", 2),
    (["init", FIRST, "--sample", "data/records.jsonl", "--model", "scripted:answers.json"], "", 2),
    (["init", f"{NAME}.d", "--sample", "data/records.jsonl", "--model", f"scripted:{NAME}"], "", 0),
    (["doctor", "--model", f"scripted:{NAME}", "--model", f"{NAME}:{NAME}"], "", 2),
    (["doctor", "--model", f"scripted:{NAME}", "--json"], "", 2),
]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "stdin", "code"), CASES, ids=[f"{n}-{' '.join(case[0])[:9]!a}" for n, case in enumerate(CASES)]
)
def test_a_command_says_nothing_that_acts(files: Path, shell: Shell, words: list[str], stdin: str, code: int) -> None:
    done = shell(*words, stdin=stdin)
    assert problems(done.stdout) == []
    assert problems(done.stderr) == []
    assert done.returncode == code, done.stderr
    assert done.stdout + done.stderr


@pytest.mark.parametrize("suffix", ["-", ".jsonl", ".csv", ".parquet", ".duckdb#t"])
def test_a_run_of_hostile_rows_writes_utf_8_and_says_nothing_that_acts(files: Path, shell: Shell, suffix: str) -> None:
    target = suffix if suffix == "-" else f"out{suffix}"
    words = ["run", "-s", "open.json", "rows.jsonl", "--key", "id", "-o", target, "--strategy", "Prompted()"]
    more = ["--metrics", "m.prom", "--journal", "j", "--quarantine", "q.jsonl", "--max-tokens", "9"]
    for options in (["--dry-run", "--probe", "0"], ["--log-format", "json"], ["--fresh"]):
        done = shell(*words, "--model", "scripted:answers.json", *more, *options)
        assert problems(done.stdout) == []
        assert problems(done.stderr) == []
        assert done.returncode == (0 if "--dry-run" in options else 1), done.stderr
    kept = Path("q.jsonl").read_bytes().decode()
    assert problems(kept) == []
    written = done.stdout if suffix == "-" else Path("out.jsonl").read_bytes().decode() if suffix == ".jsonl" else ""
    assert problems(written) == []
    keys = [row.get("_key", row.get("key")) for row in map(json.loads, (written + kept).splitlines())]
    assert HOSTILE in keys  # a key that no table can hold: its row is set aside
    assert KEY in keys or not written
    assert Path("m.prom").read_bytes().decode().count("structout_calls_total{") == 1
    if suffix == ".csv":
        assert Path("out.csv").read_bytes().decode()


def test_labels_are_utf_8(files: Path, shell: Shell) -> None:
    words = ["label", "-s", "open.json", "-o", f"{FIRST}.out", "--model", "scripted:answers.json", "rows.jsonl"]
    done = shell(*words, "--strategy", "Prompted()")
    assert done.returncode == 0, done.stderr
    assert problems(done.stdout + done.stderr) == []
    lines = Path(f"{FIRST}.out").read_bytes().decode().splitlines()
    assert len(lines) == 2
    for line in lines:
        assert problems(line) == []
        assert json.loads(line)["expected"][KEY] == 1


class Cells(HTMLParser):
    """The text of a page, and the tags that it has."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        assert tag not in ("b", "span", "small") or dict(attrs).get("class"), (
            "a tag of ours has a class, a hostile one has none"
        )
        assert tag in ("html", "meta") or {name for name, _ in attrs} <= {
            "class",
            "role",
            "scope",
            "tabindex",
            "aria-label",
            "data-head",
        }

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("name", FORMATS)
def test_a_report_holds_hostile_keys_as_text(files: Path, shell: Shell, name: str) -> None:
    Path("typed.json").write_text(json.dumps({"title": KEY, "properties": {KEY: {"type": "string"}}}))
    words = ["validate", FIRST, "-s", "typed.json", "--min-valid", "0.9", "--min-field", f"{KEY}=0.5"]
    shown = shell(*words, "--report", f"{name}=-")
    shell(*words, "--report", f"{name}={FIRST}.{name}")
    text = Path(f"{FIRST}.{name}").read_bytes().decode()
    assert shown.stdout == text
    if name == "github":
        *found, end = text.split("\n")
        assert end == ""
        commands = [re.fullmatch(r"::(error|notice) ([^:]*)::(.*)", line) for line in found]
        assert [one and one[1] for one in commands] == ["error", "error", "notice", "error", "error"]
        assert all(one and re.fullmatch(r"(file=[^,]*,line=\d+|title=structout)", one[2]) for one in commands)
        assert problems(re.sub("(?m)^::", "", text)) == []
        return
    assert problems(text) == []
    if name in ("json", "sarif"):
        found_json = json.loads(text)
        if name == "json":
            assert found_json["source"] == FIRST
            assert any(one["pointer"] == "/" + KEY.replace("/", "~1") for one in found_json["sample"][0]["issues"])
        else:
            result = found_json["runs"][0]["results"][0]
            uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
            assert unquote(uri) == FIRST.replace("\udcff", "\\udcff")
            assert not re.search(r"(?<!\\)\]\(", result["message"]["text"])
    elif name == "junit":
        suite = ElementTree.fromstring(text)
        assert [one.tag for one in suite.iter()] == ["testsuite", *["testcase", "failure"] * 2]
        assert "\\x1b" in (suite[0][0].text or "")
    elif name == "md":
        tables = re.findall(r"(?m)^\|.*\|$", text)
        assert {line.count("|") for line in tables} == {3, 4}
        assert len(tables) + 8 == text.count("\n")  # a head, a summary, a note and the blank lines between
        assert not re.search(r"<(?!/?code>)", text)
    else:
        page = Cells()
        page.feed(text)
        assert page.tags <= {
            "html", "head", "meta", "title", "style", "body", "main", "header", "h1", "h2", "p", "div", "table",
            "thead", "tbody", "tr", "th", "td", "b", "span", "small", "br",
        }  # fmt: skip
        assert "<b>" in page.text


def test_every_command_is_told_hostile_data() -> None:
    named = [one.name or getattr(one.callback, "__name__", "") for one in app.registered_commands]
    assert {*named} == {case[0][0] for case in CASES} & {*named} | {"run", "label"}


@needs("matplotlib")
def test_a_page_and_figures_hold_hostile_names(files: Path, shell: Shell) -> None:
    more = ["--html", "page.html", "--figures", "drawn", "--wrong", "wrong.jsonl", "--markdown"]
    done = shell("bench", "x.toml", "--log", "log.jsonl", *more)
    assert done.returncode == 0, done.stderr
    table, _, paragraph = done.stdout.partition("\n\n")
    assert "The report is in page.html." in paragraph
    heads, _, *rows = table.splitlines()
    assert {line.count("|") for line in (heads, *rows)} == {heads.count("|")}
    assert len(rows) == 3  # and the constant answer
    page = Path("page.html").read_bytes().decode()
    assert page.count("<script") == page.count("</script>") == 2
    assert problems(re.sub(r"(?s)<script.*</script>|<style>.*</style>", "", page)) == []
    assert Path("drawn/tradeoff.png").stat().st_size > 1000
    assert problems(Path("wrong.jsonl").read_bytes().decode()) == []
