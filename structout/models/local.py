"""A transformers model on this machine."""

import hashlib
import re
import threading
import time
from collections.abc import Iterator, Sequence
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

from structout import grammar
from structout.completion import Completion, Message, Prompt, Role, Usage
from structout.errors import MissingExtraError, ModelError

if TYPE_CHECKING:
    from structout.decoding.loop import Generated, Request

_BATCH_ROWS = 32
_BATCH_TOKENS = 65_536  # bounds the memory of a batch: its rows times their longest length
# Stand-ins for the contents of messages while the chat template is written out: private-use characters.
_PLACE = re.compile("\ue000(\\d+)\ue001")


class LocalModel:
    """A decoder-only transformers model with its tokenizer. It batches by itself; calls from threads take turns."""

    def __init__(self, name: str, model: Any, tokenizer: Any) -> None:
        self.name = name
        self._model = model.eval()
        self._tokenizer = tokenizer
        self._lock = threading.Lock()
        self._template = lru_cache(256)(self._written_template)
        end = getattr(model.generation_config, "eos_token_id", None)
        ends = end if isinstance(end, list) else [end, tokenizer.eos_token_id]
        self._ends = frozenset(token for token in ends if token is not None)
        self._context = getattr(model.config, "max_position_embeddings", None) or 1 << 30

    @classmethod
    def load(cls, place: str, *, name: str) -> "LocalModel":
        """Load a model folder, or a model by its Hugging Face name. Raises `ModelError`, `MissingExtraError`."""
        try:
            from transformers import AutoModelForCausalLM, AutoTokenizer
            from transformers.utils import logging
        except ModuleNotFoundError as error:
            raise MissingExtraError(error.name or "transformers", "local") from error
        logging.disable_progress_bar()
        try:
            model = AutoModelForCausalLM.from_pretrained(place)
            tokenizer = AutoTokenizer.from_pretrained(place)
        except Exception as error:  # transformers raises whatever its parts raise
            reason = str(error).strip().split("\n")[0][:200]
            raise ModelError(f"{name} cannot be loaded: {reason}", hint="check the name or the folder") from error
        return cls(name, model, tokenizer)

    def complete(self, prompts: Sequence[Prompt]) -> list[Completion]:
        answers: list[Completion | None] = [None] * len(prompts)
        encoded: list[tuple[int, list[int]]] = []
        for i, prompt in enumerate(prompts):
            tokens = self.encode(prompt)
            if isinstance(tokens, str):
                answers[i] = Completion("", finish_reason="refused", refusal=tokens)
            else:
                encoded.append((i, tokens))
        with self._lock:
            for batch in _batches(sorted(encoded, key=lambda item: len(item[1])), prompts):
                for (i, _), answer in zip(batch, self._generate(batch, prompts), strict=True):
                    answers[i] = answer
        return [answer for answer in answers if answer is not None]

    def _generate(self, batch: Sequence[tuple[int, list[int]]], prompts: Sequence[Prompt]) -> list[Completion]:
        from structout.decoding.loop import generate

        began = time.perf_counter()
        requests = [self._request(prompts[i], tokens) for i, tokens in batch]
        try:
            outputs = generate(self._model, requests, self._ends)
        except (RuntimeError, MemoryError) as error:
            reason = str(error).strip().split("\n")[0][:200]
            raise ModelError(
                f"{self.name} failed: {reason}", hint="ask for fewer tokens, or a smaller model"
            ) from error
        seconds = (time.perf_counter() - began) / len(batch)
        return [self._completion(request, output, seconds) for request, output in zip(requests, outputs, strict=True)]

    def _request(self, prompt: Prompt, tokens: list[int]) -> "Request":
        from structout.decoding.loop import Request

        matcher = None
        if prompt.constraint is not None:
            matcher = grammar.compile(prompt.constraint).matcher(self._vocabulary, prompt.sampling.max_tokens)
        return Request(tokens, prompt.sampling, _seed(prompt), matcher)

    def _completion(self, request: "Request", output: "Generated", seconds: float) -> Completion:
        text = self._tokenizer.decode(output.tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return Completion(
            text,
            Usage(1, len(request.tokens), len(output.tokens), seconds),
            output.finish_reason,
            tuple(output.logprobs),
            request.matcher.steered if request.matcher else 0,
        )

    @cached_property
    def _vocabulary(self) -> grammar.Vocabulary:
        return grammar.Vocabulary.of(self._tokenizer, self._model.config.vocab_size, sorted(self._ends))

    def render(self, prompt: Prompt) -> str:
        """The prompt as this model reads it, its chat template filled in."""
        contents = [message.content for message in prompt.messages]
        template = self._template(tuple(message.role for message in prompt.messages))
        return _PLACE.sub(lambda place: contents[int(place[1])], template)

    def encode(self, prompt: Prompt) -> list[int] | str:
        """The prompt's tokens, or the reason why this model cannot take it.

        Only the chat template's own text may become control tokens; the contents of messages never do.
        """
        template = self._template(tuple(message.role for message in prompt.messages))
        tokens: list[int] = []
        for i, piece in enumerate(_PLACE.split(template)):
            content = prompt.messages[int(piece)].content if i % 2 else piece
            try:
                tokens += self._tokenizer(
                    content, add_special_tokens=False, split_special_tokens=bool(i % 2), verbose=False
                ).input_ids
            except (UnicodeEncodeError, TypeError):
                return "the text has an unpaired surrogate: it is not valid Unicode"
        room = self._context - prompt.sampling.max_tokens
        if len(tokens) > room:
            return f"the prompt has {len(tokens):,} tokens, and {self.name} has room for {max(room, 0):,}"
        return tokens

    def _written_template(self, roles: tuple[Role, ...]) -> str:
        marks = [Message(role, f"\ue000{i}\ue001") for i, role in enumerate(roles)]
        if not self._tokenizer.chat_template:
            return "\n\n".join(mark.content for mark in marks) + "\n\n"
        try:
            return self._apply(marks)
        except Exception as error:  # templates raise at will: some know no system role
            if roles[:2] != ("system", "user"):
                raise ModelError(f"{self.name}'s chat template cannot write {roles}: {error}") from error
            return self._apply([Message("user", f"{marks[0].content}\n\n{marks[1].content}"), *marks[2:]])

    def _apply(self, messages: Sequence[Message]) -> str:
        turns = [{"role": message.role, "content": message.content} for message in messages]
        text: str = self._tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        return text


def _seed(prompt: Prompt) -> int:
    """A seed of the answer alone: what is asked, the sampling seed and the sample's index, not the batch."""
    return int.from_bytes(hashlib.sha256(prompt.key().encode()).digest()[:8], "big") >> 1


def _batches(
    encoded: Sequence[tuple[int, list[int]]], prompts: Sequence[Prompt]
) -> Iterator[Sequence[tuple[int, list[int]]]]:
    """Cut what is sorted by length into batches that fit the memory bound."""
    start = 0
    for stop in range(1, len(encoded) + 1):
        longest = [len(tokens) + prompts[i].sampling.max_tokens for i, tokens in encoded[start : stop + 1]]
        full = stop - start >= _BATCH_ROWS or max(longest) * len(longest) > _BATCH_TOKENS
        if full or stop == len(encoded):
            yield encoded[start:stop]
            start = stop
