"""A tokenizer in the grammar engine's form: the bytes of every token, and the tokens that end an answer."""

import json
import secrets
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from structout.errors import MissingExtraError, ModelError

if TYPE_CHECKING:
    from llguidance import LLTokenizer


class Vocabulary:
    """The tokens of one model, made by `Vocabulary.of` and shared by every matcher over the model.

    `size` is the width of the model's logits, which may exceed the tokenizer's number of tokens. `end` holds the ids
    of the tokens that end an answer.
    """

    def __init__(self, engine: "LLTokenizer", size: int, end: Sequence[int]) -> None:
        self.engine = engine
        self.size = size
        self.end = tuple(end)
        self._ends = frozenset(end)

    @classmethod
    def of(cls, tokenizer: Any, size: int | None = None, end: Sequence[int] | None = None) -> "Vocabulary":
        """Wrap a fast Hugging Face tokenizer. This takes about half a second, and is cached per tokenizer.

        `size` is the width of the logits, by default the tokenizer's length. `end` are the tokens that end an answer,
        by default the tokenizer's end token. Raises `MissingExtraError`, and `ModelError` if `tokenizer` is not a fast
        tokenizer.
        """
        try:
            from llguidance import LLTokenizer
        except ImportError as error:
            raise MissingExtraError("llguidance", "masks") from error
        size = len(tokenizer) if size is None else size
        ends = tuple(end) if end else (tokenizer.eos_token_id,)
        known = _VOCABULARIES.setdefault(tokenizer, {})
        if (size, ends) not in known:
            try:
                engine = LLTokenizer(_without_control(tokenizer), n_vocab=size, eos_token=list(ends))
            except (ValueError, TypeError, AttributeError) as error:
                hint = "use a fast tokenizer (tokenizer.json) with an end token"
                raise ModelError(f"cannot read the tokenizer: {error}", hint=hint) from error
            known[size, ends] = cls(engine, size, ends)
        return known[size, ends]

    def is_end(self, token: int) -> bool:
        """Whether a token ends the answer."""
        return token in self._ends

    def encode(self, text: str) -> list[int]:
        """The canonical tokens of a text; no part of it becomes a control token."""
        return list(self.engine.tokenize_str(text))

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of `tokens`; bytes that are not UTF-8 become U+FFFD."""
        return bytes(self.engine.decode_bytes(list(tokens))).decode("utf-8", "replace")

    @cached_property
    def pieces(self) -> list[bytes]:
        """The bytes of each token; empty for a control token."""
        engine = self.engine
        return [b"" if engine.is_special_token(n) else bytes(engine.decode_bytes([n])) for n in range(self.size)]

    @cached_property
    def tables(self) -> "Tables":
        """The tokens sorted for searches, made at the first use."""
        return Tables(self.pieces, self._ends)


def _without_control(tokenizer: Any) -> str:
    """The tokenizer's JSON, with control tokens (such as `<|im_end|>`) renamed to names that no text contains.

    Otherwise the engine would read the original names in a schema as control tokens, and force tokens that it rejects.
    """
    made = json.loads(tokenizer.backend_tokenizer.to_str())
    made["padding"] = made["truncation"] = None
    mark = f"\ufdd0{secrets.token_hex(8)}"  # a noncharacter, and random digits that nobody can guess
    vocabulary = made["model"]["vocab"]
    for token in made["added_tokens"]:
        if not token["special"]:
            continue
        name, number = token["content"], token["id"]
        token["content"] = mark + name
        if isinstance(vocabulary, dict) and vocabulary.get(name) == number:
            vocabulary[mark + name] = vocabulary.pop(name)
        elif isinstance(vocabulary, list) and number < len(vocabulary) and vocabulary[number][0] == name:
            vocabulary[number] = [mark + name, vocabulary[number][1]]
        if made["model"].get("unk_token") == name:
            made["model"]["unk_token"] = mark + name
    return json.dumps(made)


class Tables:
    """The tokens of a vocabulary, sorted for searches. Making the tables takes about a tenth of a second."""

    def __init__(self, pieces: list[bytes], ends: frozenset[int]) -> None:
        import numpy as np

        self.pieces = pieces
        self.ids: dict[str, int] = {}
        usable = []
        for token, piece in enumerate(pieces):
            if piece and token not in ends:
                usable.append(token)
                self.ids.setdefault(piece.decode("utf-8", "replace"), token)
        structural = [token for token in usable if len(pieces[token]) <= 8 and not pieces[token].strip(b'"}],:{[ ')]
        self.closing = sorted((t for t in structural if pieces[t].lstrip(b" ")[:1] in b"}]"), key=self._closes)
        self.leaving = sorted((t for t in structural if pieces[t][:1] == b'"'), key=self._closes)
        # Tokens that finish a value or lead to the next value soonest, in order of preference.
        texts = (", ", ",", "null", '""', "0", "1", "[]", "{}", "true", "false", '"', "[", "{")
        self.values = [self.ids[text] for text in texts if text in self.ids]
        self.after_number = [self.ids[text] for text in texts[:2] if text in self.ids]
        self.first = np.array([piece[0] if piece else 0 for piece in pieces], dtype=np.int16)
        lengths = np.array([len(piece) for piece in pieces], dtype=np.int16)
        ordered = np.array(sorted(usable, key=lambda token: (pieces[token][0], len(pieces[token]))), dtype=np.int64)
        self._by_first = ordered
        self._by_length = ordered[np.argsort(-lengths[ordered], kind="stable")]
        self._preferred: dict[frozenset[str], frozenset[int]] = {}

    def first_bytes(self, allowed: bytes) -> set[int]:
        """The first bytes of the allowed tokens."""
        import numpy as np

        mask = np.frombuffer(allowed, dtype=np.uint8) > 0
        return {int(byte) for byte in np.unique(self.first[self._by_first[mask[self._by_first]]])}

    def _closes(self, token: int) -> tuple[int, int]:
        """The sort key of closing tokens: tokens that also open or continue come last, tokens that close more first."""
        piece = self.pieces[token]
        opens = sum(piece.count(c) for c in (b"{", b"[", b",", b":")) + max(piece.count(b'"') - 1, 0)
        return (opens, -piece.count(b"}") - piece.count(b"]"))

    def preferred(self, names: frozenset[str]) -> frozenset[int]:
        """The tokens that are a beginning of one of `names`."""
        if names not in self._preferred:
            beginnings = {name[:n] for name in names for n in range(1, len(name) + 1)}
            found = (self.ids.get(text) for text in beginnings)
            self._preferred[names] = frozenset(token for token in found if token is not None)
        return self._preferred[names]

    def candidates(self, allowed: bytes, names: frozenset[str], order: int, limit: int) -> list[int]:
        """A sample of the allowed tokens: preferred tokens, the longest tokens, the shortest token per first byte."""
        import numpy as np

        mask = np.frombuffer(allowed, dtype=np.uint8) > 0
        named = sorted((t for t in self.preferred(names) if allowed[t]), key=lambda token: -len(self.pieces[token]))
        open_tokens = self._by_first[mask[self._by_first]]
        _, starts = np.unique(self.first[open_tokens], return_index=True)
        shortest = [int(token) for token in open_tokens[starts]]
        longest = self._by_length[mask[self._by_length]][:2]
        if order:
            shortest = shortest[:: -1 if order % 2 else 1]
            turn = (order // 2) * len(shortest) // 3
            shortest = shortest[turn:] + shortest[:turn]
        return list(dict.fromkeys([*named[:8], *(int(token) for token in longest), *shortest]))[:limit]


_VOCABULARIES: "WeakKeyDictionary[Any, dict[tuple[int, tuple[int, ...]], Vocabulary]]" = WeakKeyDictionary()
