"""Sections of an answer: thinking tags, fences, lines and brackets, found in linear time."""

import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import Final, NamedTuple

# `_TAG` has a single first character: searching for it is ten times as fast as for `_ANY_TAG` with two.
_TAG: Final = re.compile(
    r"<(/?)(?:think|thinking|thought|thoughts|reasoning|reflection|scratchpad|analysis)>", re.IGNORECASE
)
_ANY_TAG: Final = re.compile(rf"{_TAG.pattern}|\[(/?)THINK\]|◁(/?)think▷", re.IGNORECASE)
_CHANNEL: Final = re.compile(
    r"<\|channel\|>\s*(?:analysis|commentary(?!\s+to=))\s*<\|message\|>.*?(?:<\|end\|>|(?=<\|channel\|>|<\|start\|>)|\Z)",
    re.DOTALL,
)
_TICKS: Final = re.compile(r"`{3,}|~{3,}")
_FENCE: Final = re.compile(r"(`{3,}|~{3,})[ \t]*([\w+.-]*)[^\n`]*$", re.MULTILINE)
BRACKET: Final = re.compile(r"[{\[](?<!<!\[)(?<!CDATA\[)")  # skips the brackets of XML
_LEAD: Final = re.compile(r"(?:[ \t>*-]|</?[\w-]{1,40}>|\d+[.)])*")
_EXAMPLE: Final = re.compile(
    r"\b(?:examples?|e\.g|for instance|sample|template|placeholders?|(?:would|should|might|could) look|looks? like"
    r"|like this|such as|drafts?|instead of|wrong|incorrect|bad|invalid|not|don't|never|avoid|illustrat\w+"
    r"|initial(?:ly)?|first (?:try|attempt|thought|pass)|hypothetical\w*|schema|old|before|previous(?:ly)?|input"
    r"|earlier|(?:expected|required|following|output) (?:format|structure|shape))\b",
    re.IGNORECASE,
)
_PLAIN_EXAMPLE: Final = re.compile(
    r"\b(?:for example|e\.g|for instance|(?:would|should|might|could) look|looks? like"
    r"|what not to (?:return|write)|(?:expected|following|this) shape:?"
    r"|hypothetical\w*|(?:an?|the) (?:wrong|incorrect|bad|invalid|sample|example) (?:answer|output|response|format)"
    r"|example of the format"
    r"|(?:expected|required|following|output) (?:format|structure|shape))\b"
    r"|\b(?:examples?|sample|template|placeholder|format|draft|do not use|don't use)"
    r"(?: (?:output|answer|json|response))?:\s*$",
    re.IGNORECASE,
)
_ANSWER: Final = re.compile(
    r"\b(?:answer|final(?:ly)?|corrected|correction|actual(?:ly)?|real|revised|result"
    r"|solution|extracted|conclusion|updated|fixed)\b",
    re.IGNORECASE,
)
# Every match of `_PLAIN_EXAMPLE` contains one of these stems. Searching for the stems first is ten times as fast.
_EXAMPLE_STEMS: Final = (
    "exam", "e.g", "templ", "placeh", "draft", "use:", "not to", "look", "instance", "format", "structure", "shape",
    "hypothe", "wrong", "correct", "bad", "invalid", "sample",
)  # fmt: skip
# A sentence after a document that takes something in it back, and a sentence that only says that this may be needed.
_TAKEN_BACK: Final = re.compile(
    r"\b(?:wait|oops|scratch that|on second thoughts?|correction|my mistake|i (?:made|see) (?:a|an) (?:mistake|error)"
    r"|should (?:actually |really |rather |in fact )?(?:be|read|have been)\b(?! \w+(?:ed|en|t)\b)"
    r"|(?:is|was|are|were|'s|’s) (?:wrong|incorrect|mistaken|invalid|(?:just |only )?an example|made[- ]up)"
    r"|(?:is|was|are|were)(?: not|n't|n’t) (?:correct|right|accurate)|'s not (?:correct|right)|strike that|i meant"
    r"|forget (?:the|that|this)|(?:do not|don't) use (?:this|that|the above)|misread"
    r"|got (?:the |it |that )?[\w ]{0,30}wrong"
    r"|must be \S+|placeholder values?|example of the format"
    r"|(?:please )?(?:disregard|ignore|replace|change) (?:the|that|this|my)\b)"
    r"|^\s*(?:actually|sorry|no|update|edit|correction)[,:] ",
    re.IGNORECASE | re.MULTILINE,
)
_IF: Final = re.compile(r"\b(?:if|whether|let me know|feel free|in case|unless|would you)\b", re.IGNORECASE)
_SENTENCE: Final = re.compile(r"[^.!?\n]+")
_FAR: Final = 2_000
_DATA: Final = frozenset({"json", "json5", "jsonc", "yaml", "yml"})
_CODE: Final = frozenset({
    "js", "javascript", "ts", "typescript", "jsx", "tsx", "python", "py", "bash", "sh", "shell", "console", "sql",
    "html", "css", "java", "kotlin", "swift", "go", "rust", "c", "cpp", "csharp", "cs", "php", "ruby", "rb", "scala",
})  # fmt: skip
_NEAR: Final = 240


class Fence(NamedTuple):
    """A fenced block: `text[start:end]` is its content, `outer` includes the fences; not `closed` without an end."""

    start: int
    end: int
    language: str
    closed: bool
    outer: tuple[int, int]


class Sections(NamedTuple):
    """The sections of an answer: its thinking, its fenced blocks, and the places where documents may begin."""

    text: str
    thinking: tuple[tuple[int, int], ...]
    still_thinking: bool  # a thinking tag is open at the end
    fences: tuple[Fence, ...]

    def starts(self) -> Iterator[int]:
        """Offsets of brackets outside the thinking, from left to right."""
        place = 0
        for start, end in (*self.thinking, (len(self.text), len(self.text))):
            for found in BRACKET.finditer(self.text, place, start):
                yield found.start()
            place = end

    def fence_at(self, place: int) -> Fence | None:
        """The fenced block around an offset; None outside of fences."""
        index = bisect_right(self.fences, place, key=lambda fence: fence.start) - 1
        return self.fences[index] if index >= 0 and place < self.fences[index].end else None

    def stands_out(self, start: int) -> bool:
        """Whether a document at `start` begins its line, or follows only list marks or tags on the line."""
        line = self.text.rfind("\n", max(0, start - _NEAR), start) + 1
        lead = _LEAD.match(self.text, line, start)
        return lead is not None and lead.end() == start and (line > 0 or start < _NEAR)

    def is_example(self, start: int) -> bool:
        """Whether the text clearly introduces the document at `start` as an example."""
        sentence = self._sentence_before(start, 0).lower()
        for stem in _EXAMPLE_STEMS:  # a plain loop, because nearly every text comes here
            if stem in sentence:
                return _PLAIN_EXAMPLE.search(sentence) is not None
        return False

    def cue(self, start: int, after: int) -> int:
        """How the text introduces a document: 0 as the answer, 1 not at all, 2 as an example or a draft."""
        fence = self.fence_at(start)
        if fence and fence.language in _CODE and any(other.language in _DATA for other in self.fences):
            return 2  # a program that uses the answer
        sentence = self._sentence_before(start, after)
        if not sentence:
            return 1
        if _EXAMPLE.search(sentence):
            return 2
        return 0 if _ANSWER.search(sentence) else 1

    def _sentence_before(self, start: int, after: int) -> str:
        """The sentence before `start`, on the last line that is not empty."""
        fence = self.fence_at(start)
        place = fence.outer[0] if fence and not self.text[fence.start : start].strip() else start
        before = self.text[max(after, place - _NEAR) : place].rstrip()
        line = before[before.rfind("\n") + 1 :]
        return line[max(line.rfind(". "), line.rfind("; "), -1) + 1 :]


def is_taken_back(text: str, end: int, until: int | None = None) -> bool:
    """Whether a sentence after a document that ends at `end` says that something in it is wrong."""
    stop = end + _FAR if until is None else min(until, end + _FAR)
    return _TAKEN_BACK.search(text, end, stop) is not None and any(
        _TAKEN_BACK.search(sentence) and not _IF.search(sentence) for sentence in _SENTENCE.findall(text, end, stop)
    )


def layout(text: str) -> Sections:
    """Find the thinking and the fenced blocks of an answer, in linear time."""
    thinking: list[tuple[int, int]] = []
    if "<|channel|>" in text:  # the channels of OpenAI's open models: only the last one is the answer
        thinking += [found.span() for found in _CHANNEL.finditer(text)]
        if thinking and thinking[-1][1] == len(text):
            return Sections(text, tuple(thinking), True, _fences(text))
    depth, opened = 0, 0
    tags = _ANY_TAG if any(sign in text for sign in ("[T", "[t", "[/", "◁")) else _TAG if "<" in text else None
    if tags:
        for tag in tags.finditer(text):
            if tag.group(tag.lastindex or 1):
                if depth == 0 and not thinking and _outside_quotes(text, tag.start()):
                    thinking.append((0, tag.end()))  # the prompt held the opening tag
                elif depth == 1:
                    thinking.append((opened, tag.end()))
                depth = max(0, depth - 1)
            elif depth or _outside_quotes(text, tag.start()):
                opened = opened if depth else tag.start()
                depth += 1
    if depth:
        thinking.append((opened, len(text)))
    return Sections(text, tuple(thinking), depth > 0, _fences(text))


def _outside_quotes(text: str, place: int) -> bool:
    """Whether a tag is outside of quotes on its line: a tag inside quotes, as in `"html": "<think>"`, is content."""
    line = text.rfind("\n", max(0, place - _NEAR), place) + 1
    return text.count('"', max(line, place - _NEAR), place) % 2 == 0


def _fences(text: str) -> tuple[Fence, ...]:
    if "```" not in text and "~~~" not in text:
        return ()
    fences: list[Fence] = []
    opened: tuple[int, re.Match[str]] | None = None
    for ticks in _TICKS.finditer(text):
        start = ticks.start()
        margin = text[max(0, start - _NEAR) : start]
        line = margin[margin.rfind("\n") + 1 :]
        mark = None if line.strip(" \t") or len(line) == _NEAR else _FENCE.match(text, start)
        if mark is None:
            continue
        start -= len(line)
        if opened is None:
            opened = start, mark
        elif mark.group(1)[0] == opened[1].group(1)[0] and not mark.group(2):
            first, mark_before = opened
            language = mark_before.group(2).lower()
            fences.append(Fence(mark_before.end(), start, language, True, (first, mark.end())))
            opened = None
    if opened is not None:
        first, mark = opened
        close = text.find(mark.group(1), mark.end())  # the closing fence may end a line of content
        end = close if close >= 0 else len(text)
        span = (first, min(len(text), end + len(mark.group(1))))
        fences.append(Fence(mark.end(), end, mark.group(2).lower(), close >= 0, span))
    return tuple(fences)
