"""The search for a way out: a short run of tokens that completes an unfinished document."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any

from structout.grammar.samples import word
from structout.grammar.vocabulary import Vocabulary

if TYPE_CHECKING:
    from llguidance import LLMatcher

_CANDIDATES = 40  # next tokens that are tried where only the mask is known
_EXPLORATIONS = 400  # explored states, before the search for a document gives up
_REMEMBERED = 10_000  # steps that a closer remembers
_SHORT = 2  # tokens of a document that is short enough to end the search
_ORDERS = 4  # orders of candidates, one search each
_WORDS = 32  # patterns of a schema that get an example
_CLOSING = 8  # closing tokens among the next tokens
_ALIKE = 3  # states with the same mask and length that are searched
_ENDINGS = 200  # endings of pattern examples that are tried
_REJOIN = 12  # tokens of a known way out that a new way out may skip


@dataclass(frozen=True, slots=True)
class Scan:
    """The JSON state at the end of a text that matters for closing it: in a string, after a backslash, in a number."""

    in_string: bool = False
    escaped: bool = False
    in_number: bool = False

    def over(self, piece: bytes) -> "Scan":
        """The state after `piece`."""
        in_string, escaped = self.in_string, self.escaped
        for byte in piece:
            if escaped:
                escaped = False
            elif in_string and byte == 0x5C:
                escaped = True
            elif byte == 0x22:
                in_string = not in_string
        in_number = (not in_string and piece[-1:] in (b".", b"-")) or (not in_string and piece[-1:].isdigit())
        if (in_string, escaped, in_number) == (self.in_string, self.escaped, self.in_number):
            return self
        return Scan(in_string, escaped, in_number)


@dataclass(frozen=True)
class Closer:
    """Finds ways out of the states of one grammar.

    The engine knows the allowed next tokens, but not the distance to the end, so the closer searches. It prefers tokens
    that close something. Without a closing token it takes a token that leads to a new state, which leaves a loop. The
    way out is not always the shortest. `preferred` are keys to try first, `words` are texts to try where a string must
    match a pattern, and `order` breaks ties. `is_json` says whether the text is JSON.
    """

    vocabulary: Vocabulary
    is_json: bool = True
    preferred: frozenset[str] = frozenset()
    words: tuple[tuple[int, ...], ...] = ()
    order: int = 0
    memory: dict[int, list[int]] = field(default_factory=dict, compare=False, repr=False)  # steps by mask

    def shortest(
        self,
        matcher: "LLMatcher",
        limit: int,
        check: Callable[[str], bool] | None = None,
        likely: Sequence[str] = (),
    ) -> tuple["Closer", list[int]] | None:
        """The shortest of the `likely` documents that complies, or else the shortest document of several searches.

        Returns the document with the closer that found it, or None if no document within `limit` tokens passes `check`.
        """
        best: tuple[Closer, list[int]] | None = None
        for text in likely:
            tokens = self.vocabulary.encode(text)
            position = matcher.deep_copy()
            if len(tokens) > limit or position.try_consume_tokens(tokens) < len(tokens) or not position.is_accepting():
                continue
            if (best is None or len(tokens) < len(best[1])) and (check is None or check(text)):
                best = (self, tokens)
        for order in range(_ORDERS if best is None else 0):
            if best is not None and len(best[1]) <= _SHORT:
                break
            closer = replace(self, order=order, memory={})
            found = closer.close(matcher, Scan(), limit if best is None else len(best[1]) - 1)
            if found is not None and (check is None or check(self.vocabulary.decode(found))):
                best = (closer, found)
        return best

    def close(
        self,
        matcher: "LLMatcher",
        scan: Scan,
        limit: int,
        known: Sequence[int] = (),
        explorations: int = _EXPLORATIONS,
    ) -> list[int] | None:
        """A way out of at most `limit` tokens from the matcher's state; None if the search finds no way out.

        `known` is a way out of the state before; the new way out usually joins it soon. The search counts its steps
        instead of timing them, so that an answer does not depend on the machine's load.
        """
        position = matcher.deep_copy()
        taken: list[int] = []
        seen: Counter[int] = Counter()
        while not position.is_accepting():
            rest = self._rejoin(position, known, limit - len(taken))
            if rest is not None:
                return taken + rest
            step = list(position.compute_ff_tokens()) or self._choose(position, scan, seen)
            if (
                not step
                or seen.total() > explorations
                or len(taken) + len(step) > limit
                or not position.consume_tokens(step)
            ):
                return None
            taken += step
            scan = scan.over(b"".join(self.vocabulary.pieces[token] for token in step))
        return taken

    def soonest(self, matcher: "LLMatcher", limit: int, explorations: int) -> Iterator[list[int]]:
        """Several ways out of at most `limit` tokens, the shortest first, found within a number of `explorations`.

        This is a search by length (Dijkstra's), first among closing tokens, then among a few more next tokens. Of the
        states with the same length and mask it follows only a few: two keys may have the same masks at first, and free
        text has the same mask everywhere.
        """
        for closing in (True, False):
            yield from self._by_length(matcher, limit, explorations // 2, closing=closing)

    def _by_length(self, matcher: "LLMatcher", limit: int, explorations: int, *, closing: bool) -> Iterator[list[int]]:
        queue: list[tuple[int, int, list[int], LLMatcher]] = [(0, 0, [], matcher.deep_copy())]
        seen: Counter[tuple[int, bytes]] = Counter()
        tried = 0
        while queue:
            _, _, taken, position = heappop(queue)
            if position.is_accepting():
                yield taken
            if position.is_stopped():
                continue
            forced = list(position.compute_ff_tokens())
            endings = self._endings(position) if not taken else []
            for step in [forced] if forced else [*self._ways(position, closing=closing), *endings]:
                if len(taken) + len(step) > limit or (tried := tried + 1) > explorations:
                    continue
                after = position.deep_copy()
                if not after.consume_tokens(step):
                    continue
                if not forced:
                    step, after = self._joined(position, step, after)
                way = [*taken, *step]
                if len(way) > limit:
                    continue
                alike = (len(way), b"" if after.is_accepting() else bytes(after.compute_logit_bias()))
                seen[alike] += 1
                if after.is_accepting() or seen[alike] <= _ALIKE:
                    heappush(queue, (len(way), tried, way, after))

    def _joined(self, position: "LLMatcher", step: list[int], after: "LLMatcher") -> tuple[list[int], "LLMatcher"]:
        """A step with the tokens that it forces, joined to fewer tokens if possible: `u` and `rl` become `url`."""
        forced = list(after.compute_ff_tokens())
        joined = self.vocabulary.encode(self.vocabulary.decode([*step, *forced])) if forced else []
        if joined and len(joined) < len(step) + len(forced):
            other = position.deep_copy()
            if other.try_consume_tokens(joined) == len(joined):
                return joined, other
        return step, after

    def _endings(self, position: "LLMatcher") -> list[list[int]]:
        """The allowed endings of the examples of patterns, because masks do not show what completes a pattern."""
        texts = [self.vocabulary.decode(word) for word in self.words]
        found: list[list[int]] = []
        for ending in list(dict.fromkeys(text[n:] for text in texts for n in range(1, len(text))))[:_ENDINGS]:
            tokens = self.vocabulary.encode(ending)
            if position.validate_tokens(tokens) == len(tokens):
                found.append(tokens)
        return found

    def _ways(self, position: "LLMatcher", *, closing: bool) -> list[list[int]]:
        allowed, tables = position.compute_logit_bias(), self.vocabulary.tables
        structural = [*tables.leaving, *tables.closing, *tables.values] if self.is_json else []
        found = [token for token in structural if allowed[token]][:_CLOSING]
        if not (closing and found):
            found += tables.candidates(allowed, self.preferred, self.order, _CANDIDATES)
        return [[token] for token in dict.fromkeys(found)]

    def _rejoin(self, position: "LLMatcher", known: Sequence[int], room: int) -> list[int] | None:
        for start in reversed(range(min(len(known), _REJOIN))):  # the shortest first
            rest = list(known[start:])
            if len(rest) > room or position.validate_tokens(rest[:4]) < min(len(rest), 4):
                continue
            trial = position.deep_copy()
            if trial.try_consume_tokens(rest) == len(rest) and trial.is_accepting():
                return rest
        return None

    def _choose(self, position: "LLMatcher", scan: Scan, seen: "Counter[int]") -> list[int]:
        allowed = position.compute_logit_bias()
        tables = self.vocabulary.tables
        if self.is_json:
            closing = tables.leaving if scan.in_string else tables.closing
            token = next((token for token in closing if allowed[token]), None)
            if token is None and not scan.in_string:
                values = tables.after_number if scan.in_number else tables.values
                token = next((token for token in values if allowed[token]), None)
            if token is not None:
                return [token]
        state = hash((allowed, scan.in_string))
        known = self.memory.get(state, [])
        # States with the same mask may end differently: `a{9}` has the same mask as `a{8}`.
        if not seen[state] and known and position.validate_tokens(known) == len(known):
            seen[state] += 1
            return known
        step = self._search(position, scan, allowed, seen)
        if step and len(self.memory) < _REMEMBERED:
            self.memory[state] = step
        return step

    def _search(self, position: "LLMatcher", scan: Scan, allowed: bytes, seen: "Counter[int]") -> list[int]:
        if self.is_json and scan.in_string:
            for word in self.words:
                if position.validate_tokens(list(word)) == len(word):
                    after = position.deep_copy()
                    if after.consume_tokens(list(word)) and self._leaves(after.compute_logit_bias()):
                        return list(word)
        return self._explore(position, allowed, seen, in_string=scan.in_string)

    def _leaves(self, mask: bytes) -> bool:
        return any(mask[token] for token in self.vocabulary.tables.leaving)

    def _explore(self, position: "LLMatcher", allowed: bytes, seen: "Counter[int]", *, in_string: bool) -> list[int]:
        """One token, chosen by the state after it: the document may end, the string may end, or the state is new."""
        tables = self.vocabulary.tables
        best: tuple[tuple[int, int, int], int, int] | None = None
        for token in tables.candidates(allowed, self.preferred, self.order, _CANDIDATES):
            after = position.deep_copy()
            if not after.consume_token(token):
                continue
            if after.is_accepting():
                return [token]
            mask = after.compute_logit_bias()
            state = hash(mask)
            if self.is_json and in_string and self._leaves(mask):
                seen[state] += 1  # after each character the string may end, without ever ending
                return [token]
            rank = (seen[state], 0 if token in tables.preferred(self.preferred) else 1, -len(tables.pieces[token]))
            if seen[state] == 0 and self.order == 0 and rank[1] == 0:
                best = (rank, token, state)
                break
            if best is None or rank < best[0]:
                best = (rank, token, state)
        if best is None:
            return []
        seen[best[2]] += 1
        return [best[1]]


def examples(json_schema: Any, vocabulary: Vocabulary) -> tuple[tuple[int, ...], ...]:
    """The tokens of a short example for each `pattern` of a JSON Schema: masks do not lead to an unanchored pattern."""
    words = [word((pattern,)) for pattern in list(dict.fromkeys(_patterns(json_schema)))[:_WORDS]]
    return tuple(tuple(vocabulary.encode(json.dumps(text, ensure_ascii=False)[1:-1])) for text in words if text)


def _patterns(json_schema: Any) -> list[str]:
    found: list[str] = []
    stack = [json_schema]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            if isinstance(node.get("pattern"), str):
                found.append(node["pattern"])
            if isinstance(node.get("patternProperties"), dict):
                found += node["patternProperties"]
            stack.extend(node.values())
        elif isinstance(node, list):
            stack.extend(node)
    return found


def required_names(json_schema: Any) -> frozenset[str]:
    """All names that a JSON Schema requires: among several keys, a required key leads out soonest."""
    names: set[str] = set()
    stack = [json_schema]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            required = node.get("required")
            if isinstance(required, list):
                names.update(name for name in required if isinstance(name, str))
            stack.extend(node.values())
        elif isinstance(node, list):
            stack.extend(node)
    return frozenset(names)
