import random
import re
import unicodedata
from typing import Any

import pytest

from structout import Constrained, Prompted, Scripted, SpecError, Task, evaluate, preview
from structout.document import leaves
from structout.evaluation.perturbations import PERTURBATIONS, SHARED
from structout.evaluation.transliteration import transliterated
from structout.result import Example
from structout.schema import Schema
from tests.bolt import Bolt
from tests.conftest import ROOT
from tests.evaluation.test_metrics import RIGHT, bolts

TEXT = "The hex bolt and its washers are about zinc plated. Size: 6; Colour: grey. Please deliver them on Monday."
GOLD: Any = {"kind": "hex", "size_mm": 6, "note": "zinc plated"}


def words(value: object) -> set[str]:
    return set(re.findall(r"\w+", str(value).lower()))


def put(name: str, text: str = TEXT, gold: Any = GOLD, seed: int = 1) -> Any:
    task: Task[Any] = Task(text, Schema.of(Bolt), (Example("M8", {"kind": "flange", "size_mm": 8}),))
    return PERTURBATIONS[name](task, gold, random.Random(seed))


@pytest.mark.parametrize("name", PERTURBATIONS)
def test_each_is_seeded_and_leaves_alone_what_values_are_copied_from(name: str) -> None:
    one = put(name, "Zinc plated hex bolt with thread. The carton weighs little. Bring gloves please.")
    if one is None:
        assert name in ("fields", "normalization", "transliteration") or name in SHARED  # the text is plain ASCII
        return
    assert put(name, one.text) is not None or name in ("abbreviations", "sentences")
    assert put(name, seed=1) == put(name, seed=1)
    for value in leaves(GOLD).values():
        if isinstance(value, str):
            assert value in one.text.lower()


@pytest.mark.parametrize(
    ("name", "text", "changed"),
    [
        ("case", "abcd", 1),
        ("typos", "connector", 2),
        ("abbreviations", "bolts and nuts", 1),
        ("fields", "Size: six; Colour: grey", 0),
        ("sentences", "Ship the parts early. Call the office.", 0),
    ],
)
def test_the_text_says_the_same(name: str, text: str, changed: int) -> None:
    one = put(name, text, {})
    assert one.text != text
    if changed == 2:
        assert sorted(one.text) == sorted(text)
    if not changed:
        assert sorted(one.text.replace(".", " . ").split()) == sorted(text.replace(".", " . ").split()) or ";" in text


def test_what_does_not_apply_is_left_out() -> None:
    assert put("sentences", "Ship it. It is late.", {}) is None
    assert put("sentences", "Ship the parts early. Call the office.", {"list": [1, 2]}) is None
    assert put("fields", "a; b", {}) is None
    assert put("typos", "M6 x 16 hex", {}) is None
    assert put("abbreviations", "hex", {}) is None


def test_accents_and_widths_are_encoded_otherwise_where_no_value_is_copied_from() -> None:
    text = "Größe nach Maß, Löwen Café, bitte prüfen"
    one = put("normalization", text, {"buyer": "Löwen Café"})
    assert unicodedata.normalize("NFC", one.text) == text
    assert "Löwen Café" in one.text
    assert unicodedata.normalize("NFD", "prüfen") in one.text
    assert put("normalization", one.text, {"buyer": "Löwen Café"}).text == text
    wide = put("normalization", "型番A-12、数量250、単価1,470円", {"code": "A-12", "price": 1470})
    assert unicodedata.normalize("NFKC", wide.text) == "型番A-12、数量250、単価1,470円"
    assert "型番A-12" in wide.text
    assert wide.text != "型番A-12、数量250、単価1,470円"
    assert put("normalization", "Nuts and 250 bolts", {}) is None


@pytest.mark.parametrize(
    ("word", "latin"),
    [
        ("straße", "strasse"), ("łódź", "lodz"), ("Işık", "Isik"), ("ÉTÉ", "ETE"), ("Москва", "Moskva"),
        ("कुल", "kula"), ("شركة", "shrka"), ("キャンプ", "kyanpu"), ("セット", "setto"), ("東京", None),
    ],
)  # fmt: skip
def test_words_are_written_in_latin_letters_without_accents(word: str, latin: str | None) -> None:
    assert transliterated(word) == latin
    one = put("transliteration", f"{word} {word} M8", {})
    assert (None if one is None else one.text) in (
        {None} if latin is None else {f"{latin} {word} M8", f"{word} {latin} M8"}
    )
    assert put("transliteration", f"{word} M8", {"name": word}) is None


def test_typos_and_spaces_stay_outside_of_values_in_every_script() -> None:
    assert put("typos", "株式会社山田商店御中請求書在中", {"buyer": "山田商店"}) is None
    assert "पीतल का लोटा" in put("whitespace", "कृपया पीतल का लोटा भेजें", {"item": "पीतल का लोटा"}).text
    for seed in range(5):
        assert "1 234,50" in put("whitespace", "Prix total 1 234,50 euros net", {"total": 1234.5}, seed).text


def test_the_schema_in_another_order_takes_its_examples_along() -> None:
    one = next(task for task in (put("field order", seed=seed) for seed in range(8)) if task is not None)
    order = list(one.schema.json_schema["properties"])
    assert sorted(order) == ["kind", "note", "size_mm"]
    assert list(one.examples[0].document) == [name for name in order if name != "note"]
    assert one.schema.check({"kind": "hex", "size_mm": 6}).ok
    assert one.schema.fingerprint() != Schema.of(Bolt).fingerprint()


def test_schema_and_prompt_in_other_words() -> None:
    described = put("schema wording")
    assert described is not None
    assert described.schema.json_schema["description"] != Bolt.__doc__
    assert "A bolt." in described.schema.json_schema["description"]
    asked = put("prompt wording")
    plain = preview("x", Bolt, "Prompted()").messages[0].content
    model = Scripted(RIGHT)
    Prompted().run([asked], model)
    assert model.batches[0][0].messages[0].content != plain


def test_every_hand_written_part_can_be_put_otherwise() -> None:
    from structout import Dataset

    parts = Dataset.load(ROOT / "schemas/parts").head(40)
    for name, perturbation in PERTURBATIONS.items():
        for record in parts:
            task: Task[Any] = Task(record.text, parts.schema)
            done = perturbation(task, record.written, random.Random(record.key))
            if done is None or name in SHARED:
                continue
            assert done.text != record.text
            copied = words(record.text) & {word for value in leaves(record.written).values() for word in words(value)}
            assert copied <= words(done.text), name


def test_flips_are_counted_against_the_record_as_it_is() -> None:
    def answer(prompt: Any) -> str:
        text = prompt.messages[-1].content
        return RIGHT if "bolt connector" in text or text[-1:] == "\n" else '{"kind": "flange", "size_mm": 6}'

    report = evaluate([Constrained()], Scripted(answer), bolts("bolt connector", "other"), perturbations=["typos"])
    (row,) = report.rows()
    assert row.record_accuracy.value == 0.5
    (one,) = report.perturbed()
    assert (one.arm.perturbation, one.change.value, one.flips.value, one.changed.value) == ("typos", -0.5, 0.5, 0.5)
    assert (one.change.won, one.change.lost) == (0, 1)
    with pytest.raises(SpecError, match="unknown perturbation"):
        evaluate([Prompted()], Scripted(RIGHT), bolts("x"), perturbations=["noise"])
