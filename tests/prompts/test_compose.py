import json
from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from structout.issue import Issue
from structout.prompts import answer, compose, objection
from structout.prompts.compose import fence
from structout.result import Example, Task
from structout.schema import Schema
from tests.bolt import Bolt
from tests.nesting import nested


@given(
    st.text()
    | st.lists(st.sampled_from(["<record>", "</record>", "</RECORD >", "</record-2>", "x", "\n"])).map("".join)
)
def test_a_record_cannot_end_its_own_fence(text: str) -> None:
    fenced = fence(text)
    opening, closing = fenced.split("\n")[0], fenced.rsplit("\n", 1)[-1]
    assert fenced == f"{opening}\n{text}\n{closing}"
    assert closing == opening.replace("<", "</")
    assert closing[:-1] not in text.lower()


def test_what_records_share_comes_first() -> None:
    examples = [Example("M6 hex", {"kind": "hex", "size_mm": 6})]
    one, two = (compose(Task(text, Schema.of(Bolt)), examples) for text in ("first", "second"))
    assert one[:-1] == two[:-1]
    assert [message.role for message in one] == ["system", "user", "assistant", "user"]
    assert json.loads(one[2].content) == examples[0].document


def test_an_objection_stays_small() -> None:
    issues = [Issue(f"/{i}", "type", "wrong") for i in range(100)]
    assert "and 92 more" in objection(issues)
    assert len(objection(issues)) < 500


plain = st.text(st.characters(min_codepoint=32, max_codepoint=126))
plain_documents = nested(
    st.none() | st.booleans() | st.integers() | st.decimals(-1000, 1000, places=2).map(float) | plain,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(plain, inner, max_size=4),
    max_leaves=20,
)


@given(plain_documents)
def test_an_answer_in_yaml_says_the_same(document: Any) -> None:
    assert yaml.safe_load(answer(document, "yaml")) == document
