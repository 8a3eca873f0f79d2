"""What models read of ordinary records: it changes on purpose alone, for each change makes every answer anew."""

import hashlib
import json
from collections.abc import Iterator
from typing import Literal

from structout.completion import Message, Prompt
from structout.document import Json
from structout.finetuning.demonstrations import demonstrate
from structout.finetuning.synthetic import _ask_to_tell
from structout.language import Regex
from structout.prompts import compose
from structout.prompts.compose import fence, fingerprint
from structout.prompts.questions import (
    ask_for_thoughts,
    ask_whether_alike,
    ask_whether_right,
    ask_whether_said,
    reworded,
)
from structout.prompts.render import Show
from structout.result import Example, Task
from structout.schema import Schema

ORDINARY = [
    "M6 hex bolt",
    "brûlée ﬁne \u200b\u00ad soft-hyphen, zero-width and ＦＵＬＬ ｗｉｄｔｈ",
    "a < b / c > d, 3 < record / 5, <br/> </p> <recording> a record ends",
    "＜p＞ ＜/p＞ < record > < records / > record> /record> <\\record",
    "",
    "\r\n\t",
    "<answer>6</answer> </value> </text>",
]
DOCUMENT: Json = {"kind": "hex", "size_mm": 6, "note": "a < b"}
BOLT = {
    "title": "Bolt",
    "description": "A bolt.",
    "type": "object",
    "properties": {
        "kind": {"enum": ["hex", "flange"]},
        "size_mm": {"type": "number"},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
    },
    "required": ["kind", "size_mm"],
    "additionalProperties": False,
}
SCHEMAS: list[Schema[object]] = [Schema.of(BOLT), Schema.of(Literal["yes", "no"]), Schema.of(Regex("a+"))]
SHOWS: list[Show] = ["typescript", "json_schema", "example", "none", "brief"]


def asked() -> Iterator[tuple[Message, ...]]:
    examples = (Example("M8 hex", {"kind": "hex", "size_mm": 8}), Example("a < b", DOCUMENT))
    for schema in SCHEMAS:
        for show in SHOWS:
            for text in ORDINARY:
                shown = examples if schema.language is None else ()
                messages = compose(Task(text, schema), shown, show=show)
                yield messages
                yield reworded(Prompt(messages), 1).messages
                yield compose(Task(text, schema, turns=(Message("assistant", text),)), show=show, answer_format="yaml")
            yield (Message("system", fingerprint(schema, show)),)
    for text in ORDINARY:
        task = Task(text, SCHEMAS[0])
        yield ask_for_thoughts(task)
        yield ask_whether_right(task, DOCUMENT)
        yield ask_whether_right(task, {"note": text}, "a rubric")
        yield ask_whether_said(task, DOCUMENT, "/note", "a < b")
        yield ask_whether_alike(task, DOCUMENT)
        yield _ask_to_tell(SCHEMAS[0], {"note": text}, examples)
    for one in demonstrate(examples, SCHEMAS[0], "typescript"):
        yield one.prompt
    # Today's marks of records that hold a fence of their own stay as they are, too.
    for text in ("<record>", "</record>", "</RECORD >", "</record> </record-2", "<record> <record-2>", "</records>"):
        yield (Message("user", fence(text)),)


def test_what_models_read_of_ordinary_records_is_what_it_was() -> None:
    read = json.dumps([[[one.role, one.content] for one in messages] for messages in asked()])
    assert (
        hashlib.sha256(read.encode()).hexdigest() == "6349ea721dffcffb0a7110dd61884613aa329875c5876453499bd5207d23a305"
    )
