"""A tokenizer as the grammar engine sees it: every token's bytes, and which tokens end an answer."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from structout.errors import MissingExtraError, ModelError

if TYPE_CHECKING:
    from llguidance import LLTokenizer


class Vocabulary:
    """The tokens of one model, made by `Vocabulary.of` and shared by every matcher over that model.

    `size` is the width of the model's logits, which may be more than the tokenizer has tokens; `end` holds the ids
    of the tokens that end an answer, the tokenizer's own first.
    """

    def __init__(self, engine: "LLTokenizer", size: int, end: Sequence[int]) -> None:
        self.engine = engine
        self.size = size
        self.end = tuple(end)
        self._ends = frozenset(end)

    @classmethod
    def of(cls, tokenizer: Any, size: int | None = None, end: Sequence[int] | None = None) -> "Vocabulary":
        """Wrap a fast Hugging Face tokenizer; about half a second, then remembered for as long as it lives.

        `size` is the width of the logits, by default the tokenizer's length; `end` the tokens that end an answer, by
        default the tokenizer's one. Raises `MissingExtraError`, and `ModelError` for a slow tokenizer or none.
        """
        try:
            import llguidance.hf
        except ImportError as error:
            raise MissingExtraError("llguidance", "local") from error
        size = len(tokenizer) if size is None else size
        ends = tuple(end) if end else (tokenizer.eos_token_id,)
        known = _VOCABULARIES.setdefault(tokenizer, {})
        if (size, ends) not in known:
            try:
                engine = llguidance.hf.from_tokenizer(tokenizer, n_vocab=size, eos_token=list(ends))
            except (ValueError, TypeError, AttributeError) as error:
                hint = "constrained decoding needs a fast tokenizer (tokenizer.json) that has an end token"
                raise ModelError(f"cannot read the tokenizer: {error}", hint=hint) from error
            known[size, ends] = cls(engine, size, ends)
        return known[size, ends]

    def is_end(self, token: int) -> bool:
        """Whether a token ends the answer."""
        return token in self._ends

    def encode(self, text: str) -> list[int]:
        """The canonical tokens of a text, in which nothing is read as a control token."""
        return list(self.engine.tokenize_str(text))

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of some tokens; bytes that are no UTF-8 become U+FFFD."""
        return bytes(self.engine.decode_bytes(list(tokens))).decode("utf-8", "replace")


_VOCABULARIES: "WeakKeyDictionary[Any, dict[tuple[int, tuple[int, ...]], Vocabulary]]" = WeakKeyDictionary()
