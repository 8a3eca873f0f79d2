"""Text of unknown origin: what each surface makes of it, and that nothing is written another way."""

import ast
import json
import re
import unicodedata
import warnings
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from structout import surfaces
from structout.errors import StructoutError, StructoutWarning
from structout.evaluation.recommendation import measured_with
from structout.strategies import Prompted, load_strategy
from tests.conftest import ROOT

HOSTILE = (
    "a\n::set-output name=x::y\r\n\t ::add-path::/x\x1b[31m\x1b]0;t\x07\x9b31m\x85\u2028::group::\u202e\u2066|`"
    "##[set-env n=P]z]##vso[task.setvariable variable=x]y\ud800\ufffe<b>\"'&amp;]]>[x](http://e)\x00\x7f</script><!--"
)
WELL = [
    "size_mm", "Größe in °C", "数量", "الكمية", "עברית\u200f", "می\u200cخواهم", "👩\u200d🔧 \ufe0f", "a b\tc",
    "std::vector<int>", "C:\\parts\\m6", "50 %", "{x: [1]}", "# 1", "a&b", "$5",
]  # fmt: skip
ANY = st.text(st.characters(), max_size=40) | st.lists(st.sampled_from(re.findall(r"\w+|.|\n", HOSTILE))).map("".join)


def problems(shown: str) -> list[str]:
    """What would act on a terminal or on the runner of a CI job."""
    acts = [repr(one) for one in shown if unicodedata.category(one) in ("Cc", "Cs", "Zl", "Zp") and one not in "\t\n"]
    acts += [repr(one) for one in shown if unicodedata.bidirectional(one) in _REORDERS]
    acts += [line for line in shown.split("\n") if line.lstrip().startswith("::")]
    return acts + re.findall(r"##(?:vso|teamcity)?\[", shown)


_REORDERS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


def test_the_hostile_text_has_every_problem() -> None:
    assert {"'\\x1b'", "'\\x9b'", "'\\u202e'", "'\\ud800'", "'\\u2028'", "'\\x7f'", "::set-output name=x::y\r"} <= {
        *problems(HOSTILE)
    }


@given(ANY)
def test_nothing_acts_on_a_terminal(text: str) -> None:
    assert problems(surfaces.terminal(text)) == []
    assert surfaces.terminal(text).count("\n") == text.count("\n")
    shown = surfaces.line(text)
    assert problems(shown) == []
    assert "\n" not in shown
    assert surfaces.line(shown) == shown
    if "\n" not in text:  # at the start of a later line, `terminal` escapes more than `line`
        assert surfaces.line(surfaces.terminal(text)) == shown


def test_what_rich_laid_out_gives_no_command_where_it_broke_a_text() -> None:
    laid_out = "a long text\n::add-path::x\n  \x1b[1m::group::y\x1b[0m\nstd::x ::z"
    assert surfaces.disarmed(laid_out) == ("a long text\n\\x3a:add-path::x\n  \x1b[1m\\x3a:group::y\x1b[0m\nstd::x ::z")


@given(ANY)
def test_json_says_the_same_and_does_nothing(text: str) -> None:
    for written in (surfaces.json_text({text: [text]}), surfaces.json_text({text: [text]}, ascii=True)):
        assert problems(written) == []
        assert written.encode()
        assert json.loads(written) == json.loads(json.dumps({text: [text]}))
    inside = surfaces.json_in_html({text: [text]})
    assert not set("<>&") & set(inside)
    assert json.loads(inside) == json.loads(json.dumps({text: [text]}))


@given(ANY)
def test_an_annotation_is_one_line_whose_properties_end_where_they_should(text: str) -> None:
    shown, name = surfaces.github(text), surfaces.github_property(text)
    assert problems(f"x{shown}") == []
    assert "\n" not in shown + name
    assert not {",", ":"} & {*name}
    assert shown.replace("%0A", "\n").replace("%25", "%") == surfaces.terminal(text)


@given(ANY)
def test_xml_and_html_can_hold_it(text: str) -> None:
    root = ElementTree.Element("a", b=surfaces.xml(text))
    root.text = surfaces.xml(text)
    parsed = ElementTree.fromstring(ElementTree.tostring(root, encoding="unicode"))
    assert parsed.text == (surfaces.terminal(text) or None)
    assert parsed.get("b") == surfaces.terminal(text)
    assert not set("<>\"'") & set(surfaces.html(text))


@given(ANY)
def test_a_cell_of_markdown_keeps_its_columns_and_its_code(text: str) -> None:
    for shown in (surfaces.markdown(text), surfaces.code(text)):
        assert problems(f"| {shown} |") == []
        assert not {"|", "\n"} & {*shown}
    assert not re.search(r"[`*<]|\\(?=[!-/:-@\[-`{-~])", surfaces.markdown(text))
    assert surfaces.code(text).count("`") in (0, 2)
    assert "](" not in surfaces.markdown(text)


@given(ANY)
def test_a_label_of_prometheus_ends_where_it_should(text: str) -> None:
    assert re.fullmatch(r'(?:[^"\\\n]|\\["\\n])*', surfaces.prometheus(text))
    assert surfaces.prometheus(text).encode().decode() == surfaces.prometheus(text)


@pytest.mark.parametrize("text", WELL)
def test_what_behaves_looks_as_it_was_written(text: str) -> None:
    for render in (surfaces.terminal, surfaces.line, surfaces.xml, surfaces.sarif):
        assert render(text) == text
    assert surfaces.json_text(text) == json.dumps(text, ensure_ascii=False)
    assert surfaces.code(text) == f"`{text}`"
    assert surfaces.markdown(text) == text.replace("<", "&#60;")  # which looks right once it is rendered
    assert surfaces.markdown("Reask(Repair(Prompted(examples=3)), limit=2)") == (
        "Reask(Repair(Prompted(examples=3)), limit=2)"
    )
    assert surfaces.markdown("record_accuracy >= 0.9 [1] ~ 5 !") == "record_accuracy >= 0.9 [1] ~ 5 !"


def test_a_file_is_a_relative_reference() -> None:
    assert surfaces.address("parts/d-1.jsonl") == "parts/d-1.jsonl"
    assert surfaces.address("/tmp/a b:c%.jsonl\udcff") == "/tmp/a%20b%3Ac%25.jsonl%5Cudcff"


def test_a_label_of_a_figure_is_no_mathematics() -> None:
    matplotlib = pytest.importorskip("matplotlib.mathtext")
    for text in ("$x^{", "a $b$ c", "\\$", "$"):
        assert "$" not in surfaces.drawn(text).replace("\\$", "")
    with pytest.raises(ValueError, match="Expected"):
        matplotlib.MathTextParser("path").parse("$x^{$")
    assert matplotlib.MathTextParser("path").parse(surfaces.drawn("$x^{$"))


def test_a_link_in_a_message_of_sarif_is_text() -> None:
    assert surfaces.sarif('[x](1) not one of ["a"]') == '[x\\](1) not one of ["a"]'


def test_errors_and_warnings_are_one_line_wherever_they_are_shown() -> None:
    error = StructoutError(f"no field {HOSTILE}", hint=HOSTILE)
    assert problems(str(error)) == []
    assert "\n" not in str(error)
    assert error.message.endswith(HOSTILE)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.warn(HOSTILE, StructoutWarning, stacklevel=1)
    assert problems(str(caught[0].message)) == []
    assert "\n" not in str(caught[0].message)


# What writes past `structout.cli.console` and `structout.surfaces`, and why it may.
_PAST = {
    ("cli/__init__.py", "print"): "nothing, but what is held back",
    ("models/embedded.py", "print"): "one line, rendered in place: the model is fetched by programs too",
    ("gate/reports.py", "sys.stdout.write"): "reports, rendered format by format",
    ("tables/output.py", "sys.stdout.buffer"): "JSON lines, by surfaces.json_text",
    ("cli/validate.py", "sys.stdout.buffer"): "JSON lines, by surfaces.json_shown",
    ("cli/validate.py", "sys.stdout"): "where `put` is to write",
    ("cli/validate.py", "sys.stderr"): "where `put` is to write",
    ("tables/arrow.py", "ensure_ascii=False"): "JSON as the text of a cell, which whoever shows it renders",
    ("schema/strict_form.py", "ensure_ascii=False"): "the text of an answer, which whoever shows it renders",
    ("schema/strict_parts.py", "ensure_ascii=False"): "a value within an answer, which whoever shows it renders",
    ("schema/provider_audit.py", "a cell"): "a word of our own, and a number",
    ("pipeline/bar.py", "Console"): "a bar for programs: numbers of our own",
    ("pipeline/frames.py", "a cell"): "a column of a table of Arrow, which is not shown",
    ("tables/fragments.py", "ensure_ascii=False"): "a text as another program writes it, to search for it",
    ("evaluation/experiment.py", "ensure_ascii=False"): "TOML, whose texts are written like JSON's",
    ("parsing/edits.py", "ensure_ascii=False"): "what an edit holds, which whoever shows it renders",
    ("parsing/syntax/reader.py", "from html"): "entities that are read, not written",
    ("parsing/locate/calls.py", "from html"): "entities that are read, not written",
    ("parsing/fit/literals.py", "from html"): "entities that are read, not written",
    ("schema/messages.py", "ensure_ascii=False"): "what a value holds, which whoever shows it renders",
    ("verifiers/__init__.py", "another warning"): "a name that changed: what Python shows to programmers",
    ("pages/__init__.py", "Console"): "HTML of what rich draws, by rich, of cells that are rendered",
    ("evaluation/bar.py", "Console"): "a bar and numbers",
    ("schema/validator.py", "ensure_ascii=False"): "a text that is encoded to see whether it is Unicode, and not shown",
}
_WRITERS = {
    "print", "input", "typer.echo", "typer.secho", "click.echo", "click.secho", "os.write", "Console", "rich.print",
    "pprint", "traceback.print_exc",
}  # fmt: skip
_STREAMS = ("sys.stdout", "sys.stderr", "sys.__stdout__", "sys.__stderr__")
_RENDERING = ("put", "put_json", "silence", "_goes_on", "isinstance")
_ESCAPERS = ("html", "xml.sax.saxutils", "markupsafe", "pprint")
_MODEL_READS = ("prompts/", "grammar/", "schema/contract.py")  # what a model reads, and what only a hash sees


def written(source: str) -> list[str]:
    """Each way to write text past the functions that render it."""
    tree = ast.parse(source)
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if name in _WRITERS:
                found.append(name)
            if name.endswith("warnings.warn") and "StructoutWarning" not in map(ast.unparse, node.args):
                found.append("another warning")
            if name.startswith(("_LOG.", "logging.", "logger.")) and name != "logging.getLogger":
                plain = all(isinstance(one, ast.Constant) or ast.unparse(one).startswith("line(") for one in node.args)
                found += [] if plain or name.startswith("logging.set") or "disable" in name else ["a log line"]
            if name.endswith((".add_row", ".add_column")) or (name == "Table" and "rich.table" in source):
                cells = [*node.args, *(word.value for word in node.keywords if word.arg in (None, "title", "header"))]
                found += ["a cell"] * any(not _is_rendered(cell) for cell in cells)
            if any(word.arg == "ensure_ascii" and ast.unparse(word.value) == "False" for word in node.keywords):
                found.append("ensure_ascii=False")
        elif isinstance(node, ast.Attribute) and ast.unparse(node) in _STREAMS:
            found += _uses(node, parents[node])
        elif isinstance(node, ast.ImportFrom) and node.module in (*_ESCAPERS, "sys"):
            found.append(f"from {node.module}")
    return found


def _uses(stream: ast.Attribute, parent: ast.AST) -> list[str]:
    """What is done with stdout or stderr, unless it is looked at, or given to one who renders what goes there."""
    if isinstance(parent, ast.Attribute):
        return [] if parent.attr in ("isatty", "encoding", "flush", "reconfigure") else [ast.unparse(parent)]
    if isinstance(parent, ast.Call) and ast.unparse(parent.func) in _RENDERING:
        return []
    return [] if isinstance(parent, ast.keyword) and parent.arg == "file" else [ast.unparse(stream)]  # `print` is seen


def _is_rendered(cell: ast.expr) -> bool:
    """Whether what rich lays out is a word of structout's, or `Text`: a bare string would be read as markup."""
    return isinstance(cell, ast.Constant) or ast.unparse(cell).removeprefix("*(").startswith("Text(")


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("print(key)", "print"),
        ("import typer\ntyper.echo(key)", "typer.echo"),
        ("sys.stderr.write(key)", "sys.stderr.write"),
        ("sys.stdout.buffer.write(key)", "sys.stdout.buffer"),
        ("csv.writer(sys.stdout)", "sys.stdout"),
        ("json.dump(key, fp=sys.stdout)", "sys.stdout"),
        ("out = sys.stderr", "sys.stderr"),
        ("sys.__stdout__.write(key)", "sys.__stdout__.write"),
        ("from sys import stdout", "from sys"),
        ("Console().print(key)", "Console"),
        ("table.add_row(key)", "a cell"),
        ("table.add_row('x', *keys)", "a cell"),
        ("table.add_column(key)", "a cell"),
        ("from rich.table import Table\nTable(title=key)", "a cell"),
        ("warnings.warn(key)", "another warning"),
        ("warnings.warn(key, UserWarning)", "another warning"),
        ("_LOG.warning('%s', key)", "a log line"),
        ("_LOG.warning(f'{key}')", "a log line"),
        ("from html import escape", "from html"),
        ("json.dumps(key, ensure_ascii=False)", "ensure_ascii=False"),
    ],
)
def test_each_way_past_is_seen(source: str, found: str) -> None:
    assert written(source) == [found]


def test_nothing_is_written_past_the_surfaces() -> None:
    past = set()
    for file in (ROOT / "structout").rglob("*.py"):
        name = file.relative_to(ROOT / "structout").as_posix()
        if name in ("surfaces.py", "cli/console.py"):
            continue
        for way in written(file.read_text(encoding="utf-8")):
            if not (way == "ensure_ascii=False" and name.startswith(_MODEL_READS)):
                past.add((name, way))
    assert past == set(_PAST)


def test_the_console_renders_all_that_it_prints() -> None:
    tree = ast.parse(Path(ROOT / "structout/cli/console.py").read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("print", "_tell"):
            text = ast.unparse(node.args[0])
            assert "surfaces." in text or text in ("''", "text"), text  # `text` is what `_tell` was given


def test_the_page_puts_no_text_in_as_markup() -> None:
    scripts = sorted((ROOT / "structout").rglob("*.js"))
    assert [one.name for one in scripts] == ["plots.js", "report.js"]
    script = "".join(one.read_text(encoding="utf-8") for one in scripts)
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|Function\(|srcdoc|javascript:", script
    )
    template = (ROOT / "structout/evaluation/reporting/assets/report.html").read_text(encoding="utf-8")
    assert set(re.findall(r"{{\s*(\w+)\s*\|\s*safe", template)) == {"style", "data", "script"}


def test_the_comment_of_a_strategy_stays_one() -> None:
    """A data set whose name breaks the line would write a rule, which is code, into the file that is run later."""
    written = measured_with("data\nVerify(Prompted(), Rule('evil.py:run'))  #", 9, "Prompted(examples=1)")
    assert written.count("\n") == 1
    assert load_strategy(f"{written}Prompted()\n") == Prompted()
