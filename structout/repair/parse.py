"""Read JSON as models write it: one pass, no recursion, and an edit for every change that makes it strict."""

import re
from dataclasses import dataclass
from typing import Final, Literal

from structout.repair.budget import Budget, Unreadable
from structout.repair.edits import Edit, Grade
from structout.repair.patterns import (
    BARE_KEY,
    BARE_STOP,
    CALL,
    CLEAN_KEY,
    CLOSER,
    COLON,
    COMMENT,
    ELLIPSIS,
    GAP,
    ITEMS,
    KEY_STYLES,
    KEYED,
    LOOSE_ITEM,
    LOOSE_MEMBER,
    LOOSE_NAMED,
    MEMBERS,
    NEXT,
    NEXT_MEMBER,
    OPENER,
    PLAIN,
    PREFIXED,
    PYTHON,
    SPACE,
    THOUSANDS,
    TRAILING_COMMENT,
    VALUE_STYLES,
)
from structout.repair.strings import OPENING, Role, closes, is_doubtful, read_key, read_value
from structout.repair.tokens import is_non_finite, literal, number, quote

DEEPEST: Final = 200
_STEPS_A_TOKEN: Final = 40  # what a token costs that is not clean, in characters

_KEY, _VALUE_NEXT, _AFTER = range(3)


Closers = Literal["drop", "replace", "insert"]


@dataclass(frozen=True, slots=True)
class Parsed:
    """What was read: the text up to `end` is strict JSON once the edits are applied.

    `unclosed` counts the containers that the text left open; `cut` tells that it broke off inside a token, after
    a comma or before a value, `loose` that it ended with a number or word that might go on; `bare` counts the
    strings that had no quotes.
    """

    end: int
    edits: tuple[Edit, ...] = ()
    unclosed: int = 0
    cut: bool = False
    loose: bool = False
    bare: int = 0


def parse(text: str, start: int, end: int, budget: Budget, *, closers: Closers = "drop") -> Parsed:
    """Read the object or list that opens at `start`. Raises `Unreadable`, or `Exhausted`.

    `closers` says what to think first of a closer of the wrong kind: that it is one too many if it repeats the one
    before it (`drop`), that it was mistaken for another (`replace`), or that one before it is missing (`insert`).
    """
    return _Reader(text, start, end, budget, closers).read()


class _Reader:
    __slots__ = (
        "bare",
        "budget",
        "closers",
        "comma",
        "edits",
        "end",
        "loose",
        "pos",
        "quoted",
        "stack",
        "start",
        "text",
    )  # fmt: skip

    def __init__(self, text: str, start: int, end: int, budget: Budget, closers: Closers) -> None:
        self.closers = closers
        self.quoted = False  # a key had quotes: then the keys of this document have
        self.text = text
        self.start = self.pos = start
        self.end = end
        self.budget = budget
        self.edits: list[Edit] = []
        self.stack: list[str] = []
        self.comma = -1  # the offset of a comma that nothing has followed yet
        self.bare = 0
        self.loose = False  # the text ended with a number or a word that might go on

    def read(self) -> Parsed:
        text, end, stack = self.text, self.end, self.stack
        opener = text[self.start]
        stack.append(opener)
        self.pos += 1
        state = _KEY if opener == "{" else _VALUE_NEXT
        fresh = True  # just after an opener: nothing to separate, nothing missing
        while stack:
            ahead = self._run(state)
            if ahead >= 0:
                state, fresh = ahead, False
                continue
            self.budget.spend(_STEPS_A_TOKEN)
            in_object = stack[-1] == "{"
            if self._skip(state):
                continue
            if self.pos >= end:
                return self._unclosed(dangling=state == _VALUE_NEXT and in_object)
            char = text[self.pos]
            if state == _AFTER:
                if (char.isalpha() and self._prose_follows()) or char == "<" or text.startswith("```", self.pos):
                    self.end = self.pos
                    return self._unclosed()
                state, fresh = self._after(char), False
            elif char in "}]":
                if state == _VALUE_NEXT and in_object:
                    self._edit("missing_value", "invented", self.pos, "", "null")
                self._close(char)
                state = _AFTER
            elif char == ",":
                if state == _VALUE_NEXT and in_object:
                    self._edit("missing_value", "invented", self.pos, "", "null")
                    state = _AFTER
                else:
                    self._edit("comma", "lossless", self.pos, ",", "")
                    self.pos += 1
            elif state == _KEY:
                state = self._key(char)
                fresh = False
            elif not in_object and not fresh and self._belongs_outside(char):
                state = _KEY
            elif char in "{[":
                stack.append(char)
                if len(stack) > DEEPEST:
                    raise Unreadable(self.pos)
                self.pos += 1
                self.comma = -1
                state, fresh = (_KEY if char == "{" else _VALUE_NEXT), True
            else:
                done = self._string(char) if char in OPENING else self._bare(char)
                self.comma = -1
                if not done:
                    return self._unclosed(partial=True)
                state, fresh = _AFTER, False
        self.budget.spend(self.pos - self.start)
        return Parsed(self.pos, self._ordered(), bare=self.bare)

    def _run(self, state: int) -> int:
        """Go over what is clean, or wrong in its quotes only, in as few steps as can be; the state after, or -1."""
        text, end = self.text, self.end
        space = SPACE.match(text, self.pos, end)
        self.pos = pos = space.end() if space else self.pos
        if pos >= end:
            return -1
        char = text[pos]
        in_object = self.stack[-1] == "{"
        run: re.Match[str] | None = None
        if state == _AFTER:
            if char == ",":
                self.comma, self.pos = pos, pos + 1
                return _KEY if in_object else _VALUE_NEXT
            if (char == "}" if in_object else char == "]") and len(self.stack) > 1:
                self.pos += 1
                self.stack.pop()
                return _AFTER
            return -1
        if state == _KEY:
            if char == '"':
                self.quoted = True
                run = MEMBERS.match(text, pos, end)
            if run is None and (char in "\"'“`_$" or char.isalpha()):
                loose = LOOSE_MEMBER.match(text, pos, end)
                if loose:
                    self._put_loose(loose, KEY_STYLES + VALUE_STYLES)
                    self.pos, self.comma = loose.end(), -1
                    return _AFTER
                key = CLEAN_KEY.match(text, pos, end) if char == '"' else LOOSE_NAMED.match(text, pos, end)
                if key:
                    if char != '"':
                        self._put_loose(key, KEY_STYLES)
                    self.pos, self.comma = key.end(), -1
                    return _VALUE_NEXT
        elif not in_object:
            run = ITEMS.match(text, pos, end)
            loose = LOOSE_ITEM.match(text, pos, end) if run is None and char in "'“`TFN" else None
            if loose:
                self._put_loose(loose, VALUE_STYLES)
                self.pos, self.comma = loose.end(), -1
                return _AFTER
        if run is None:
            return -1
        self.pos = run.end()
        if text[self.pos] in ",}]":
            self.comma = -1
            return _AFTER
        self.comma = text.rindex(",", self.start, self.pos)
        return state

    def _put_loose(self, found: "re.Match[str]", layout: str) -> None:
        """Note the edits that a loose member, key or item takes; `layout` says what each group of it is."""
        self.budget.spend(_STEPS_A_TOKEN)
        for index, style in enumerate(layout, 1):
            start, stop = found.span(index)
            if start < 0:
                continue
            content = self.text[start:stop]
            if style == "l":
                self.edits.append(Edit("literal", "lossless", start, content, PYTHON[content]))
            elif style == "n":
                self.edits.append(Edit("quotes", "lossless", start, content, f'"{content}"'))
            else:
                before = self.text[start - 1 : stop + 1]
                self.edits.append(Edit("quotes", "lossless", start - 1, before, f'"{content}"'))

    # Between tokens.

    def _skip(self, state: int) -> bool:
        """Go over white space; True if something else was skipped too, with an edit."""
        space = SPACE.match(self.text, self.pos, self.end)
        if space:
            self.pos = space.end()
        if self.pos >= self.end:
            return False
        char = self.text[self.pos]
        if char in "/#<":
            comment = COMMENT.match(self.text, self.pos, self.end)
            follows = self.text[self.pos + 1 : self.pos + 2]
            if comment and not (state == _VALUE_NEXT and char == "#" and not follows.isspace()):
                self._edit("comment", "lossless", self.pos, comment.group(), "")
                self.pos = comment.end()
                return True
        elif char in ".…":
            dots = ELLIPSIS.match(self.text, self.pos, self.end)
            if dots:
                self._edit("ellipsis", "lossy", self.pos, dots.group(), "")
                self.pos = dots.end()
                return True
        elif char > "\x7f" or char < " ":
            gap = GAP.match(self.text, self.pos, self.end)
            if gap:
                self._edit("whitespace", "lossless", self.pos, gap.group(), "")
                self.pos = gap.end()
                return True
        return False

    def _after(self, char: str) -> int:
        """After a value: a comma, a closer, or what should have come after a comma."""
        if char == ",":
            self.comma = self.pos
            self.pos += 1
        elif char in "}]":
            self._close(char)
            return _AFTER
        elif char in ";，、":
            self._edit("comma", "lossless", self.pos, char, ",")
            self.comma = self.pos
            self.pos += 1
        elif self._starts_next(char):
            self._edit("comma", "lossless", self.pos, "", ",")
            if self.stack[-1] == "[" and self._keyed():
                self.comma = self.pos
        else:
            stop = BARE_STOP.search(self.text, self.pos, self.end)
            place = stop.start() if stop else self.end
            if place == self.pos or place == self.end:
                raise Unreadable(self.pos)
            self._edit("junk", "lossy", self.pos, self.text[self.pos : place], "")
            self.pos = place
            return _AFTER
        return _KEY if self.stack[-1] == "{" else _VALUE_NEXT

    def _prose_follows(self) -> bool:
        """Whether the document stopped without its closers, and the text goes on in words on another line."""
        gap = self.text[max(self.start, self.pos - 80) : self.pos]
        return "\n" in gap[len(gap.rstrip()) :] and (self.quoted or not self._keyed())

    def _starts_next(self, char: str) -> bool:
        if self.stack[-1] == "{":
            return char in '"{“' or self._keyed()
        return (
            char in '"{[“'
            or char.isdigit()
            or self._keyed()
            or bool(re.match(r"-\d", self.text[self.pos : self.pos + 2]))
        )

    def _keyed(self) -> bool:
        return self._keyed_at(self.pos)

    def _belongs_outside(self, char: str) -> bool:
        """In a list, a key: the list should have been closed before it. True if that is now done."""
        if self.comma < 0 or "{" not in self.stack or not self._keyed():
            return False
        self._edit("closer", "lossless", self.comma, "", "]")
        self.stack.pop()
        while self.stack[-1] != "{":
            self._edit("closer", "lossless", self.comma, "", "]")
            self.stack.pop()
        return True

    # Closing.

    def _close(self, char: str) -> None:
        _text, stack = self.text, self.stack
        self._drop_comma()
        if stack[-1] != OPENER[char] and not self._mend_closer(char):
            return
        if len(stack) == 1 and self._reopened(stack[0]):
            self._edit("closer", "lossless", self.pos, char, "")
            self.pos += 1
            return
        self.pos += 1
        stack.pop()

    def _mend_closer(self, char: str) -> bool:
        """A closer of the wrong kind: another was meant, one before it is missing, or it is too many.

        What follows tells which. False if the closer was dropped.
        """
        stack = self.stack
        doubled = (
            self.closers == "drop"
            and OPENER[char] not in stack
            and self.text[max(0, self.pos - 80) : self.pos].rstrip()[-1:] == char
        )
        below = len(stack) - 1 - stack[::-1].index(OPENER[char]) if OPENER[char] in stack else -1
        replaced = not doubled and not (self.closers == "insert" and below >= 0)
        if replaced and self._continues(len(stack) - 1):
            self._edit("closer", "lossless", self.pos, char, CLOSER[stack[-1]])
            return True
        if below < 0 or (not self._continues(below) and self._continues(len(stack))):
            self._edit("closer", "lossless", self.pos, char, "")
            self.pos += 1
            return False
        missing = ""
        while stack[-1] != OPENER[char]:
            missing += CLOSER[stack.pop()]
        self._edit("closer", "lossless", self.pos, "", missing)
        return True

    def _continues(self, depth: int) -> bool:
        """Whether what follows the closer here would make sense with `depth` containers open."""
        found = NEXT.match(self.text, self.pos + 1, self.end)
        if found is None or depth == 0:
            return depth == 0 and found is None
        key, item, closer = found.groups()
        opener = self.stack[depth - 1]
        if key is not None:
            return opener == "{"
        return opener == "[" if item is not None else opener == OPENER[closer]

    def _reopened(self, opener: str) -> bool:
        """Whether the outermost container goes on behind its closer."""
        found = NEXT.match(self.text, self.pos + 1, self.end)
        if found is None:
            return False
        key, item, _ = found.groups()
        if opener == "{":
            return key is not None
        return item is not None and self.text[: self.end].rstrip().endswith("]")

    def _drop_comma(self) -> None:
        if self.comma >= 0:
            sign = self.text[self.comma]
            if sign != ",":  # it has been written as one already
                self.edits = [edit for edit in self.edits if edit.where != self.comma or edit.before != sign]
            self._edit("comma", "lossless", self.comma, sign, "")
            self.comma = -1

    def _unclosed(self, *, partial: bool = False, dangling: bool = False) -> Parsed:
        """The text ended with containers open: close them."""
        cut = partial or dangling or self.comma >= 0
        self.loose = self.loose or self.text[self.pos - 1] in "{["
        if dangling:
            self._edit("missing_value", "invented", self.end, "", "null")
        self._drop_comma()
        closers = "".join(CLOSER[opener] for opener in reversed(self.stack))
        self._edit("unclosed", "lossy", self.end, "", closers)
        self.budget.spend(self.end - self.start)
        return Parsed(self.end, self._ordered(), len(self.stack), cut, self.loose, self.bare)

    # Tokens.

    def _key(self, char: str) -> int:
        text, pos = self.text, self.pos
        if char in "{[" and self.comma >= 0 and "[" in self.stack:  # the object before was never closed
            self._edit("closer", "lossless", self.comma, "", "}")
            self.stack.pop()
            return _VALUE_NEXT if self.stack[-1] == "[" else _KEY
        if char in OPENING:
            found = read_key(text, pos, self.end)
            if found is None:
                raise Unreadable(pos)
            quoted, colon = found
            if not quoted.closed:  # the text was cut inside a key: the key is dropped
                self._edit("unclosed", "lossy", pos, text[pos : self.end], "")
                self.pos = self.end
                return _KEY
            self._put_string(pos, quoted.start, quoted.stop, quoted.end)
        else:
            bare = BARE_KEY.match(text, pos, self.end)
            if bare is None:
                if BARE_STOP.search(text, pos, self.end) is None and text[pos : self.end].strip():
                    self._edit("unclosed", "lossy", pos, text[pos : self.end], "")
                    self.pos = self.end
                    return _KEY
                raise Unreadable(pos)
            content = bare.group()
            self._edit("quotes", "lossless", pos, content, quote(content.rstrip("\"'”`"))[0])
            self.pos, colon = bare.end(), True
        self.comma = -1
        sign = COLON.match(text, self.pos, self.end)
        if colon and sign:
            if sign.group(1) != ":":
                self._edit("colon", "lossless", sign.start(1), sign.group(1), ":")
            self.pos = sign.end()
        else:
            self._edit("colon", "lossless", self.pos, "", ":")
        return _VALUE_NEXT

    def _string(self, char: str) -> bool:
        """Read a quoted value; False if the text ends inside it."""
        text, pos = self.text, self.pos
        role: Role = "member" if self.stack[-1] == "{" else "item"
        quoted = read_value(text, pos, self.end, role, len(self.stack), self.budget)
        self._put_string(pos, quoted.start, quoted.stop, quoted.end)
        return quoted.closed

    def _put_string(self, pos: int, start: int, stop: int, end: int) -> None:
        before = self.text[pos:end]
        after, whole = quote(self.text[start:stop])
        if before != after:
            content = self.text[start:stop]
            whole = whole and not (before[0] in '"“”' and is_doubtful(content))
            kind = "quotes" if after[1:-1] == content else "string"
            self._edit(kind, "lossless" if whole else "lossy", pos, before, after)
        self.pos = end

    def _bare(self, char: str) -> bool:
        """Read a value without quotes: a literal, a number or text; False if the text ends inside it."""
        text, pos, end = self.text, self.pos, self.end
        prefix = PREFIXED.match(text, pos, end)
        if prefix:
            self._edit("quotes", "lossless", pos, prefix.group(), "")
            self.pos = prefix.end()
            return self._string(text[self.pos])
        call = CALL.match(text, pos, end)
        if call:
            content = call.group(1)
            self._edit(
                "call", "lossless", pos, call.group(), quote(content[1:-1])[0] if content[0] in "\"'" else content
            )
            self.pos = call.end()
            return True
        in_object = self.stack[-1] == "{"
        plain = PLAIN.match(text, pos, end)
        if plain and (self._keyed_at(plain.end()) if in_object else not THOUSANDS.match(text, pos, end)):
            self.pos = plain.end()  # a comma is missing after it
            self._mend(pos, text[pos : self.pos].rstrip())
            return True
        place, opened = pos, False
        while True:
            stop = BARE_STOP.search(text, place, end)
            if stop is None:
                place = end
                break
            place = stop.start()
            sign = text[place]
            if sign in "{[" or (sign == "“" and place == pos):
                raise Unreadable(place)
            if sign in '"“':
                if closes(text, place, end, "member" if in_object else "item"):  # its opening quote is missing
                    opened = True
                    break
            elif (
                sign not in ",;，"
                or not in_object
                or NEXT_MEMBER.match(text, place, end)
                or (not text[place + 1 : place + 2].isdigit() and self._known(text[pos:place].strip()))
            ):
                break
            place += 1
        self.budget.spend(place - pos)
        before = text[pos:place].rstrip()
        word = TRAILING_COMMENT.sub("", before) or before
        self.pos = place + opened
        if opened:
            self._edit("quotes", "lossless", pos, text[pos : self.pos], quote(word)[0])
            return True
        known = self._known(word)
        partial = place == end
        if known is None and partial and len(word) > 1:
            known = next((name for name in ("true", "false", "null") if name.startswith(word)), None)
        if known is not None:
            if known != word or before != word:
                self._edit("literal", "lossless", pos, before, known)
            self.loose = partial and not known.isalpha()
            return not partial or self.loose or word == known
        if is_non_finite(word):
            self._edit("non_finite", "lossy", pos, before, "null")
            return True
        if not word or not (word[0].isalnum() or word[0] in "_+.$€£¥~#@/*'" or (word[0] == "-" and word[1:2] != ">")):
            raise Unreadable(pos)
        after, whole = quote(word)
        self._edit("quotes", "lossless" if whole else "lossy", pos, before, after)
        self.bare += 1
        self.loose = partial
        return True

    @staticmethod
    def _known(word: str) -> str | None:
        return literal(word) or number(word)

    def _mend(self, pos: int, word: str) -> None:
        known = self._known(word)
        if known is not None and known != word:
            self._edit("literal", "lossless", pos, word, known)

    def _keyed_at(self, place: int) -> bool:
        return KEYED.match(self.text, place, self.end) is not None

    def _edit(self, kind: str, grade: Grade, where: int, before: str, after: str) -> None:
        self.edits.append(Edit(kind, grade, where, before, after))

    def _ordered(self) -> tuple[Edit, ...]:
        return tuple(sorted(self.edits, key=_offset))


def _offset(edit: Edit) -> tuple[int, bool]:
    """What is put in comes before what stands at the same place and is changed."""
    return edit.where if isinstance(edit.where, int) else -1, bool(edit.before)
