"""Random JSON Schemas, odd names and impossible ones among them."""

from typing import Any

from hypothesis import strategies as st

from tests.nesting import nested

NAMES = st.sampled_from(["a", "b", "a b", "<|im_end|>", "x<|im_start|>y", 'q"', "é", "\\", "\t", "", "漢", "a/b~c"])
PATTERNS = st.sampled_from(
    ["^[a-f0-9]{8}$", "^a+b?$", "[0-9]x", "^(?:\\S+\\s+){0,5}\\S+$", "^\\d{3}-\\d{2}$", "^\\x01$", "^[^a]*$", "^é+$"]
)
_BOUND = st.integers(-30, 30) | st.sampled_from([0.005, 0.015, -7.32, 1e-9, 2.5, -16.0])
_STEP = st.sampled_from([2, 3, 0.01, 0.5, 0.25, 0.3])


def _object(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    made: st.SearchStrategy[Any] = st.fixed_dictionaries(
        {"type": st.just("object"), "properties": st.dictionaries(NAMES, children, max_size=4)},
        optional={
            "required": st.lists(NAMES, max_size=2, unique=True),
            "additionalProperties": st.booleans() | children,
            "patternProperties": st.dictionaries(PATTERNS, children, max_size=1),
            "minProperties": st.integers(0, 2),
            "maxProperties": st.integers(1, 3),
        },
    )
    return made


def _list(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries(
        {"type": st.just("array"), "items": children},
        optional={"minItems": st.integers(0, 3), "maxItems": st.integers(1, 4), "uniqueItems": st.booleans()},
    )


_NUMBER = st.fixed_dictionaries(
    {"type": st.sampled_from(["number", "integer"])},
    optional={
        "minimum": _BOUND,
        "maximum": _BOUND,
        "exclusiveMinimum": _BOUND,
        "exclusiveMaximum": _BOUND,
        "multipleOf": _STEP,
    },
)
_TEXT = st.fixed_dictionaries(
    {"type": st.just("string")},
    optional={
        "pattern": PATTERNS,
        "minLength": st.integers(0, 6),
        "maxLength": st.integers(0, 12),
        "format": st.sampled_from(["date", "email", "uuid", "ipv4"]),
    },
)
_LISTED = st.fixed_dictionaries({"enum": st.lists(NAMES | st.integers(-3, 300) | st.none(), min_size=1, max_size=4)})

SCHEMAS: st.SearchStrategy[Any] = nested(
    _NUMBER | _TEXT | _LISTED | st.sampled_from([{"type": "boolean"}, {"type": "null"}, {"const": 0.1}]),
    lambda children: (
        _object(children)
        | _list(children)
        | st.fixed_dictionaries({"anyOf": st.lists(children, min_size=1, max_size=3)})
        | st.fixed_dictionaries({"oneOf": st.lists(children, min_size=1, max_size=3)})
        | st.fixed_dictionaries({"allOf": st.lists(children, min_size=1, max_size=2)})
    ),
    max_leaves=6,
)
