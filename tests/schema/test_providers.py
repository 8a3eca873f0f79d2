"""What providers take of a schema: each fact has its source, and each audit says what its facts say."""

import json
import tomllib
from datetime import date
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, ConfigDict, Field

from benchmarks.pydantic_models import CASES
from structout.errors import SpecError
from structout.schema import Schema
from structout.schema.provider_audit import ProviderAudit, judge
from structout.schema.provider_rules import COUNTS, RULES
from structout.schema.providers import Fact, Provider, provider, providers
from tests.conftest import ROOT

FACTS = [(one.key, fact) for one in providers() for fact in one.facts]


class Closed(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Line(Closed):
    sku: str
    amount: int


class Order(Closed):
    lines: list[Line]
    note: str | None


class Branch(Closed):
    """A tree."""

    name: str
    inner: "list[Branch]" = []


def an_object(**properties: Any) -> dict[str, Any]:
    """The schema of a closed object whose keys are required."""
    return {"type": "object", "properties": properties, "required": [*properties], "additionalProperties": False}


def an_optional(**properties: Any) -> dict[str, Any]:
    """The schema of a closed object whose keys are optional."""
    return {**an_object(**properties), "required": []}


def verdicts(audit: ProviderAudit) -> set[tuple[str, str, str]]:
    return {(one.pointer, one.keyword, one.verdict) for one in audit.findings}


@pytest.mark.parametrize(("key", "fact"), FACTS)
def test_each_fact_has_a_source_and_a_date(key: str, fact: Fact) -> None:
    assert fact.source.startswith("https://")
    assert fact.means
    assert fact.read > date(2026, 1, 1)
    assert fact.verdict in ("held", "rejected", "ignored", "slow", "unknown")
    assert [bool(fact.keywords), bool(fact.rule), bool(fact.count)].count(True) == 1
    assert fact.rule in {"", *RULES}
    assert fact.count in {"", *COUNTS}


@pytest.mark.parametrize("one", providers(), ids=lambda one: one.key)
def test_each_provider_can_be_asked_for(one: Provider) -> None:
    audit = judge(Order, one.key)
    assert (audit.provider, audit.source, audit.read) == (one.key, one.source, one.read)
    assert audit.is_taken
    assert {provider(name) for name in (one.key.upper(), *one.also, f"{one.key}:some-model")} == {one}
    assert one.source.startswith("https://")


def test_every_rule_and_count_is_used_by_a_fact() -> None:
    assert {fact.rule for _, fact in FACTS} - {""} == set(RULES)
    assert {fact.count for _, fact in FACTS} - {""} == set(COUNTS)


def test_an_unknown_provider_is_refused_with_the_closest_name() -> None:
    with pytest.raises(SpecError, match="did you mean anthropic"):
        judge(Order, "antropic")


def test_a_schema_without_optional_keys_passes_for_openai_as_it_is() -> None:
    audit = judge(Order, "openai")
    assert (audit.passes, audit.rewrite, audit.held) == (True, None, audit.keywords)


def test_openai_needs_required_keys_and_closed_objects() -> None:
    class Part(BaseModel):
        name: str
        size: float = 1.0

    audit = judge(Part, "openai")
    assert verdicts(audit) == {
        ("", "additionalProperties", "rejected"),
        ("/properties/size", "required", "rejected"),
        ("/properties/size", "default", "rejected"),
    }
    assert audit.rewrite is not None
    assert "optional keys become required, and may be null" in audit.rewrite.changes
    assert audit.rewrite.only_validated == ()
    assert audit.rewrite.schema["required"] == ["name", "size"]


def test_a_limit_that_a_provider_refuses_is_only_validated() -> None:
    class Sized(Closed):
        amount: Annotated[int, Field(ge=1, le=9)]
        tags: set[str]

    for name, lost in (
        ("openai", {"uniqueItems"}),
        ("anthropic", {"minimum", "maximum", "uniqueItems"}),
        ("vllm", {"uniqueItems"}),
    ):
        audit = judge(Sized, name)
        assert not audit.passes
        assert audit.rewrite is not None
        assert {keyword for _, keyword in audit.rewrite.only_validated} == lost
        assert set(audit.rewrite.schema["properties"]) == {"amount", "tags"}  # documents stay as they are


def test_the_least_rewrite_keeps_the_documents_as_they_are() -> None:
    audit = judge(an_optional(a={"type": "integer", "minimum": 1}), "anthropic")
    assert audit.rewrite is not None
    assert audit.rewrite.changes == ("left out: minimum",)
    assert audit.rewrite.schema == an_optional(a={"type": "integer"})
    assert judge({"type": "array", "items": {"oneOf": [{"type": "null"}]}}, "anthropic").rewrite is not None


def test_a_map_becomes_a_list_of_pairs_where_objects_must_be_closed() -> None:
    for name in ("openai", "anthropic", "bedrock", "groq"):
        audit = judge(dict[str, int], name)
        assert audit.rewrite is not None, name
        assert "objects with keys of any name become lists of pairs, key and value" in audit.rewrite.changes


def test_a_recursive_schema_has_no_rewrite_where_recursion_is_refused() -> None:
    for name in ("anthropic", "bedrock"):
        audit = judge(Branch, name)
        assert ("/properties/inner/items", "$ref", "rejected") in {
            (one.pointer.removeprefix("/$defs/Branch"), one.keyword, one.verdict) for one in audit.findings
        }
        assert not audit.is_taken
    assert judge(Branch, "openai").is_taken
    assert judge(Branch, "google").passes  # the key is not required


def test_google_takes_recursion_within_keys_that_are_not_required() -> None:
    recursive = {"$ref": "#/$defs/Node", "$defs": {"Node": an_object(next={"$ref": "#/$defs/Node"})}}
    assert not judge(recursive, "google").passes
    recursive["$defs"]["Node"]["required"] = []  # type: ignore[index]
    assert judge(recursive, "google").passes


def test_google_ignores_what_it_does_not_support() -> None:
    audit = judge(an_object(a={"type": "string", "pattern": "^a$", "minLength": 1}), "google")
    assert audit.passes
    assert verdicts(audit) == {("/properties/a", "pattern", "ignored"), ("/properties/a", "minLength", "ignored")}


def test_a_reference_beside_other_keywords_moves_into_any_of() -> None:
    schema = {
        **an_object(a={"$ref": "#/$defs/A", "description": "of the order"}),
        "$defs": {"A": an_object(x={"type": "string"})},
    }
    for name in ("openai", "google"):
        audit = judge(schema, name)
        assert verdicts(audit) == {("/properties/a", "$ref", "rejected")}
        assert audit.rewrite is not None
        assert audit.rewrite.schema["properties"]["a"] == {
            "anyOf": [{"$ref": "#/$defs/A"}],
            "description": "of the order",
        }


def test_a_limit_is_a_number_with_its_fact() -> None:
    many = {f"key{n}": {"type": "string"} for n in range(30)}
    audit = judge(an_optional(**many), "anthropic")
    assert [one.means for one in audit.findings if one.verdict == "rejected"] == [
        "optional keys: 30, at most 24: too many optional keys in one request"
    ]
    assert not audit.is_taken  # all of them required and null are too many unions
    slow = judge(an_optional(a={"type": "string"}), "anthropic")
    assert [(one.verdict, one.pointer) for one in slow.findings] == [("slow", "")]


@pytest.mark.parametrize(
    ("name", "schema", "is_taken"),
    [
        ("properties", an_object(**{f"k{n}": {"type": "null"} for n in range(101)}), {"openai": True, "azure": False}),
        ("enum values", an_object(a={"type": "integer", "enum": list(range(1001))}), {"openai": False}),
        ("long enum", an_object(a={"type": "string", "enum": [f"{n:060}" for n in range(251)]}), {"openai": False}),
        ("names", an_object(**{"k" * 120_001: {"type": "null"}}), {"openai": False}),
    ],
)
def test_a_schema_may_be_too_large(name: str, schema: dict[str, Any], is_taken: dict[str, bool]) -> None:
    assert {key: judge(schema, key).is_taken for key in is_taken} == is_taken


def test_objects_may_be_nested_too_deep() -> None:
    deep: dict[str, Any] = {"type": "string"}
    for _ in range(10):
        deep = an_object(a=deep)
    assert judge(deep, "openai").passes
    assert not judge(an_object(a=deep), "openai").is_taken


def test_values_of_any_type_are_refused_by_strict_modes() -> None:
    audit = judge(an_object(a={}, b={"type": "array"}), "openai")
    assert verdicts(audit) == {("/properties/a", "type", "rejected"), ("/properties/b", "items", "rejected")}
    assert audit.rewrite is not None
    assert any("become texts that hold JSON" in change for change in audit.rewrite.changes)


def test_servers_of_open_weights() -> None:
    schema = an_object(
        code={"type": "string", "pattern": "[A-Z]"},
        price={"type": "number", "minimum": 0},
        amount={"type": "integer", "minimum": 0},
        tags={"type": "array", "items": {"type": "string"}, "uniqueItems": True},
        size={"type": "string", "format": "email", "maxLength": 9},
    )
    assert verdicts(judge(schema, "llamacpp")) == {
        ("/properties/code", "pattern", "rejected"),
        ("/properties/price", "minimum", "ignored"),
        ("/properties/tags", "uniqueItems", "ignored"),
        ("/properties/size", "format", "ignored"),
    }
    assert verdicts(judge(schema, "ollama")) == verdicts(judge(schema, "llamacpp"))
    assert verdicts(judge(schema, "vllm")) == {
        ("/properties/tags", "uniqueItems", "rejected"),
        ("/properties/size", "maxLength", "unknown"),
    }


def test_what_no_source_says_is_unknown_and_never_guessed() -> None:
    audit = judge(an_object(a={"type": "string", "pattern": "^a$"}), "mistral")
    assert audit.passes
    unknown = {one.keyword: (one.verdict, one.source, one.read) for one in audit.findings}
    assert unknown["pattern"] == ("unknown", "", None)


def test_names_of_properties_are_not_keywords() -> None:
    schema = an_object(**{"not": {"type": "string"}, "oneOf": {"type": "string"}, "a/b~c": {"type": "string"}})
    assert judge(schema, "openai").passes
    schema["required"] = []
    assert ("/properties/a~1b~0c", "required", "rejected") in verdicts(judge(schema, "openai"))


def refused_by_strict_mode(schema: Any) -> list[str]:
    """What OpenAI's strict mode refuses, by the rules of its guide: written apart from the audit."""
    broken: list[str] = []
    if schema.get("type") != "object" or "anyOf" in schema:
        broken.append("the root")

    def check(node: Any, where: str, level: int) -> None:
        if not isinstance(node, dict):
            broken.append(f"{where}: not an object")
            return
        if "$ref" in node:
            if len(set(node) - {"$defs"}) > 1:
                broken.append(f"{where}: keywords beside $ref")
            if node["$ref"].removeprefix("#/$defs/") not in schema.get("$defs", {}):
                broken.append(f"{where}: {node['$ref']}")
            return
        allowed = {
            "type", "enum", "const", "anyOf", "properties", "required", "additionalProperties", "items", "pattern",
            "format", "multipleOf", "maximum", "exclusiveMaximum", "minimum", "exclusiveMinimum", "minItems",
            "maxItems", "minLength", "maxLength", "title", "description", "$defs",
        }  # fmt: skip
        broken.extend(f"{where}: {keyword}" for keyword in node if keyword not in allowed)
        if "type" not in node and "anyOf" not in node:
            broken.append(f"{where}: no type")
        if node.get("type") == "object":
            if node.get("additionalProperties") is not False:
                broken.append(f"{where}: open")
            if sorted(node.get("required", ())) != sorted(node.get("properties", ())):
                broken.append(f"{where}: optional keys")
            if level > 10:
                broken.append(f"{where}: too deep")
        if node.get("type") == "array" and "items" not in node:
            broken.append(f"{where}: no items")
        for name, one in node.get("properties", {}).items():
            check(one, f"{where}.{name}", level + 1)
        for n, one in enumerate(node.get("anyOf", ())):
            check(one, f"{where}|{n}", level)
        if "items" in node:
            check(node["items"], f"{where}[]", level)

    check(schema, "$", 1)
    for name, one in schema.get("$defs", {}).items():
        check(one, name, 1)
    return broken


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_is_said_to_pass_for_openai_keeps_the_rules_of_its_guide(case: Any) -> None:
    audit = judge(case.type, "openai")
    sent = Schema.of(case.type).json_schema if audit.passes else audit.rewrite and audit.rewrite.schema
    assert sent
    assert refused_by_strict_mode(sent) == []
    if not audit.passes:
        assert refused_by_strict_mode(Schema.of(case.type).json_schema) != []


@pytest.mark.parametrize("one", providers(), ids=lambda one: one.key)
def test_a_rewrite_passes_when_it_is_judged_itself(one: Provider) -> None:
    for case in CASES:
        audit = judge(case.type, one.key)
        if audit.rewrite is not None:
            assert judge(audit.rewrite.schema, one.key).passes, case.name
        elif not audit.passes:
            assert case.name in ("linked list", "tree")


def test_the_page_holds_all_facts() -> None:
    """To write them again: replace what follows the heading with what `page` returns."""
    text = (ROOT / "docs/audit.md").read_text(encoding="utf-8")
    assert text.partition("## The facts by provider\n\n")[2] == page()


def page() -> str:
    """The facts of `providers.toml` as they stand in docs/audit.md."""
    sections = []
    tables = tomllib.loads((ROOT / "structout/schema/providers.toml").read_text(encoding="utf-8"))
    for key, table in tables.items():
        like = f" All facts about `{table['like']}` apply too, after these." if "like" in table else ""
        rows = [
            f"| {fact['verdict']} | {_about(fact)} | {fact['means']} | <{fact['source']}> | {fact['read']} |"
            for fact in table.get("facts", ())
        ]
        head = (
            f"### `{key}`: {table['name']}\n\n{table['about']}{like} Source: <{table['source']}>, read {table['read']}."
        )
        names = "| verdict | keywords | what it means | source | read |\n| --- | --- | --- | --- | --- |"
        sections.append("\n".join([head, "", names, *rows]))
    return "\n\n".join(sections) + "\n"


def _about(fact: dict[str, Any]) -> str:
    """What a fact is about: its keywords, its limit, or the whole schema."""
    if "count" in fact:
        return f"more than {fact['most']:,} {fact['count']}" if fact["most"] else fact["count"]
    words = ", ".join("all others" if one == "*" else f"`{one}`" for one in fact.get("keywords", ()))
    values = ", ".join(f"`{json.dumps(one)}`" for one in fact.get("unless", ()))
    return words + (f" other than {values}" if values else "")
