"""Regular expressions for clean and nearly clean JSON, all in linear time."""

import re
from typing import Final

from structout.parsing.syntax.tokens import INVISIBLE, NUMBER, ROOM, SIGN, STRING, WS

# One expression matches a run of clean text, in C: members and items whose values are scalars, flat lists or flat
# objects, each up to a comma or a closer that proves that the last quote ended the value.
_SCALAR: Final = rf"(?:{STRING}|{NUMBER}(?=[ \t\r\n,\]}}])|(?:true|false|null)(?=[ \t\r\n,\]}}]))"
_FLAT_LIST: Final = rf"\[{WS}(?:{_SCALAR}{WS}(?:,{WS}{_SCALAR}{WS})*+)?\]"
_PAIR: Final = rf"{STRING}{WS}:{WS}(?:{_SCALAR}|{_FLAT_LIST}){WS}"
_FLAT_OBJECT: Final = rf"\{{{WS}(?:{_PAIR}(?:,{WS}{_PAIR})*+)?\}}"
_INNER: Final = rf"(?:{_SCALAR}|{_FLAT_LIST}|{_FLAT_OBJECT})"
_LIST: Final = rf"\[{WS}(?:{_INNER}{WS}(?:,{WS}{_INNER}{WS})*+)?\]"
_VALUE: Final = rf"(?:{_SCALAR}|{_LIST}|{_FLAT_OBJECT})"
# A run ends after the comma before the next key or item, or before a closer or a comma that needs a closer look.
MEMBERS: Final = re.compile(rf"{WS}(?:{STRING}{WS}:{WS}{_VALUE}{WS}(?:,{WS}(?=\")|(?=\}}|,{WS}\}})))++")
ITEMS: Final = re.compile(rf"{WS}(?:{_VALUE}{WS}(?:,{WS}(?=[\"\[{{\-0-9tfn])|(?=\]|,{WS}\])))++")
CLEAN_KEY: Final = re.compile(rf"{WS}{STRING}{WS}:{WS}")
# Members and items that are clean except for their quotes or Python literals.
_SINGLE: Final = r"'[^'\"\\\x00-\x1f\ud800-\udfff]*+'"
_CURLY: Final = r"“[^“”\"\\\x00-\x1f\ud800-\udfff]*+”"
_TICKED: Final = r"`[^`\"\\\x00-\x1f\ud800-\udfff]*+`"
_ANGLED: Final = r"«[^«»\"\\\x00-\x1f\ud800-\udfff]*+»"
_NAME: Final = r"[A-Za-z_$][\w$]*+"
_LOOSE_NAME: Final = rf"(?:{STRING}|{_SINGLE}|{_CURLY}|{_TICKED}|{_ANGLED}|{_NAME}){WS}:{WS}"
_LOOSE_SCALAR: Final = rf"(?:{_SCALAR}|{_SINGLE}|{_CURLY}|{_TICKED}|{_ANGLED}|(?:True|False|None)(?!\w))"
_LOOSE_LIST: Final = rf"\[{WS}(?:{_LOOSE_SCALAR}{WS}(?:,{WS}{_LOOSE_SCALAR}{WS})*+)?\]"
_LOOSE_PAIR: Final = rf"{_LOOSE_NAME}(?:{_LOOSE_SCALAR}|{_LOOSE_LIST}){WS}"
_LOOSE_OBJECT: Final = rf"\{{{WS}(?:{_LOOSE_PAIR}(?:,{WS}{_LOOSE_PAIR})*+)?\}}"
_LOOSE_VALUE: Final = rf"(?:{_LOOSE_SCALAR}|{_LOOSE_LIST}|{_LOOSE_OBJECT})"
LOOSE_KEY: Final = re.compile(rf"{WS}{_LOOSE_NAME}(?=[{{\[])")
LOOSE_MEMBERS: Final = re.compile(
    rf"{WS}(?:{_LOOSE_NAME}{_LOOSE_VALUE}{WS}(?:,{WS}(?=[\"'“`«]|{_NAME}{WS}:)|(?=\}}|,{WS}\}})))++"
)
LOOSE_ITEMS: Final = re.compile(
    rf"{WS}(?:{_LOOSE_VALUE}{WS}(?:,{WS}(?=[\"'“`«\[{{0-9-]|(?:True|False|None|true|false|null)\b)|(?=\])))++"
)
# The tokens of a run with loose quotes: JSON strings, names without quotes, Python literals, other quotes.
LOOSE_TOKEN: Final = re.compile(
    rf"[^\"'“`«\w$]*+(?:{STRING}|({_NAME})(?={WS}:)|(True|False|None)(?!\w)|('[^']*+'|“[^”]*+”|`[^`]*+`|«[^»]*+»)|[\w$]++)"
)
PYTHON: Final = {"True": "true", "False": "false", "None": "null"}
SPACE: Final = re.compile(WS)
GAP: Final = re.compile(rf"(?:[^\S \t\r\n]|[{INVISIBLE}\x00-\x08])+")
COMMENT: Final = re.compile(r"//[^\n]*|/\*.*?(?:\*/|\Z)|#[^\n]*|<!--.*?(?:-->|\Z)", re.DOTALL)
# A comment in which the answer says that it left something out.
ELIDED: Final = re.compile(
    r"\.{3}|…|\b(?:omitted|remaining|remainder|and so (?:on|forth)|etc|more (?:items|entries|rows|records|elements|of)"
    r"|rest of|truncated|continues?|abbreviated|for brevity|and \d+ (?:more|others)|\+ ?\d+ more"
    r"|(?:other|additional|further) (?:items|entries|rows|records)"
    r"|(?:similar(?:ly)?|same|repeat) for)\b",
    re.IGNORECASE,
)
ELLIPSIS: Final = re.compile(r"\.{2,}|…")
COLON: Final = re.compile(rf"{WS}({SIGN}){WS}")
BARE_KEY: Final = re.compile(rf"[^\s\"“”`{{}}\[\],:=：(][^\"“”`{{}}\[\],:=：\n(]{{0,80}}?[\"'”`]?(?={ROOM}{SIGN})")
BARE_STOP: Final = re.compile(r'[\n,，{}\[\]"“;]')
NEXT_MEMBER: Final = re.compile(
    rf"""(?:[,;，]{ROOM})++(?:[uUbB]?["'“`«][^"“”«»\n]{{1,80}}["'”`»]{ROOM}{SIGN}|[\w$.-]{{1,80}}["”]{ROOM}{SIGN}"""
    rf"""|[A-Za-z_$][\w$ .-]{{0,60}}{ROOM}{SIGN}(?!//)|[}}{{\[]|//|/\*|\#|\Z|\.\.\.|["'“][^"“”\n]*\Z)"""
)
PLAIN: Final = re.compile(
    r"""(?:[+-]?[0-9][0-9_.]*(?:[eE][+-]?[0-9]+)?|true|false|null|True|False|None)"""
    r"""[ \t\r\n]++(?=(["'“{\[0-9-]|[A-Za-z_$]))"""
)
THOUSANDS: Final = re.compile(r"[+-]?[0-9]{1,3}(?:[ ][0-9]{3})+(?![0-9])|\S+\s+[A-Za-z]")
# The same in an object whose keys have quotes: there a word before a colon belongs to the value.
QUOTED_MEMBER: Final = re.compile(
    rf"""(?:[,;，]{ROOM})++(?:[uUbB]?["'“`«][^"“”«»\n]{{1,80}}["'”`»]{ROOM}{SIGN}|[\w$.-]{{1,80}}["”]{ROOM}{SIGN}"""
    rf"""|[}}{{\[]|//|/\*|\#|\Z|\.\.\.|["'“][^"“”\n]*\Z)"""
)
# An item where a key should be, and the scalar of the member before it.
LONE_ITEM: Final = re.compile(rf"(?:{STRING}|{NUMBER}){ROOM}(?=[,\]])")
LAST_SCALAR: Final = re.compile(rf":{WS}({STRING}|{NUMBER}){WS},{WS}\Z")
TRAILING_COMMENT: Final = re.compile(r"\s+(?://(?!\s*\d+\s*\Z)|#(?=\s)|/\*).*", re.DOTALL)
PREFIXED: Final = re.compile(r"[uUbBrRfF]{1,2}(?=[\"'])")
TICKED: Final = re.compile(
    r"```(?:(?:text|txt|json|yaml|xml|html|md|markdown|python|py|js|sql|bash|sh|shell)?[ \t]*\n)?(.*?)\n?[ \t]*```"
    r"(?=\s*[,}\]])",
    re.DOTALL,
)
_DOUBLE: Final = r'"[^"\\\n]*+(?:\\.[^"\\\n]*+)*+"'
QUOTED: Final = re.compile(_DOUBLE + r"|'[^'\\\n]*+(?:\\.[^'\\\n]*+)*+'")
CONCATENATED: Final = re.compile(rf"(?:{QUOTED.pattern})(?:\s*+\+\s*+(?:{QUOTED.pattern}))++")
# An item of a tuple of Python.
TUPLE_ITEM: Final = re.compile(rf"(?:{QUOTED.pattern})(?=\s*+[,)])")
# JSON inside a string, with quotes that the writer did not escape; and the end of such a string.
UNESCAPED: Final = re.compile(r"""["']\s*+((?:\[\s*+)?\{)\s*+"[^"\n]{1,80}"\s*+:""")
EMBEDDED_END: Final = re.compile(r"""\s*+["'](?=\s*+(?:[,}\]]|\Z))""")
# White space written as an escape outside of strings.
WRITTEN_SPACE: Final = re.compile(r"(?:\\[nrt][ \t\r\n]*+)++")
QUOTED_LINE: Final = re.compile(r">(?:[ \t]?>)*+")
# A date of Python: `datetime.date(2024, 3, 5)`, `datetime.datetime(2024, 3, 5, 10, 0)`.
MOMENT: Final = re.compile(
    r"(?:datetime\.)?(?:date|datetime)\(\s*(\d{1,4}\s*,\s*\d{1,2}\s*,\s*\d{1,2}(?:\s*,\s*\d{1,2}){0,3})\s*\)"
)
# A member of an enumeration of Python: `<Color.RED: 'red'>`.
ENUM_MEMBER: Final = re.compile(r"""<[A-Z]\w*\.\w+:\s*(?:'([^'\\\n]*)'|"([^"\\\n]*)"|(-?\d+(?:\.\d+)?))>""")
# Code whose value only a program knows.
EXPRESSION: Final = re.compile(r"\A[A-Za-z_][\w.]*\(.*\)\Z", re.DOTALL)
CALL: Final = re.compile(
    r"(?:[A-Za-z_][\w.]*\.)?(?:[A-Z]\w*|str|int|float|bool|date|datetime|bytes)\(\s*(\"[^\"\\\n]*\"|'[^'\"\\\n]*'|-?\d+(?:\.\d+)?)\s*\)"
)
KEYED: Final = re.compile(
    rf"""[uUbB]?["'“`«][^"'“”`«»\n]{{1,80}}["'”`»]{ROOM}{SIGN}|[A-Za-z_$][\w$-]{{0,60}}["”]?{ROOM}{SIGN}(?![/\d:])"""
)
# The token after a closer: a member of an object, an item of a list, or another closer.
NEXT: Final = re.compile(
    rf"""{ROOM}(?:[,，;]{ROOM}(?:([uUbB]?["'“`«][^"'“”`«»\n]{{1,80}}["'”`»]{ROOM}{SIGN}|[A-Za-z_$][\w$-]{{0,60}}{ROOM}:)|(["'{{\[0-9-]|true|false|null))|([}}\]]))"""
)
CLOSER: Final = {"{": "}", "[": "]"}
OPENER: Final = {"}": "{", "]": "["}
