"""A transformers model on this machine."""

import hashlib
import re
import threading
from collections.abc import Iterator, Sequence
from functools import cached_property, lru_cache
from itertools import accumulate, count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from structout import grammar
from structout.completion import Completion, Message, Prompt, Role, Usage
from structout.errors import MissingExtraError, ModelError, NoModelError
from structout.models.tuning import Tuning, checksum, merge_adapter

if TYPE_CHECKING:
    from structout.decoding.engine import Engine
    from structout.decoding.features import Features
    from structout.decoding.request import Generated, Request
    from structout.decoding.weights import Weights

# Stand-ins for the contents of messages while the chat template is written out: private-use characters.
_PLACE = re.compile("\ue000(\\d+)\ue001")


class LocalModel:
    """A decoder-only transformers model with its tokenizer, which answers up to `slots` prompts at a time.

    It batches by itself; the prompts of calls from several threads share the slots. `features` says what the token loop
    does to be fast: see `structout.decoding.features`.
    """

    def __init__(
        self,
        name: str,
        model: Any,
        tokenizer: Any,
        *,
        slots: int = 32,
        tuning: Tuning | None = None,
        features: "Features | None" = None,
    ) -> None:
        self.name = name
        self.tuning = tuning
        self._model = model.eval()
        self._tokenizer = tokenizer
        self._slots = slots
        self._features = features
        self._lock = threading.Lock()
        self._engine: Engine | None = None
        self._template = lru_cache(256)(self._written_template)
        end = getattr(model.generation_config, "eos_token_id", None)
        ends = end if isinstance(end, list) else [end, tokenizer.eos_token_id]
        self._ends = frozenset(token for token in ends if token is not None)
        self._context = getattr(model.config, "max_position_embeddings", None) or 1 << 30

    @classmethod
    def load(
        cls,
        place: str,
        *,
        name: str,
        weights: "Weights | None" = None,
        slots: int = 32,
        device: str | None = None,
        tuning: Tuning | None = None,
        adapter: Path | None = None,
        features: "Features | None" = None,
    ) -> "LocalModel":
        """Load a model folder, or a model by its Hugging Face name, onto a device (by default a GPU if there is one).

        `weights` says in which form: see `structout.decoding.weights`. All forms are made of fp32 weights, so on the
        CPU any of them widens a bf16 or fp16 checkpoint. Without `weights` such a one stays as it was published: that
        takes half the memory, but is slow on CPUs that do not calculate in its format. `adapter` is the folder of an
        adapter to merge into the weights, `tuning` how the model came about. Raises `ModelError`, `SpecError`,
        `MissingExtraError`.
        """
        try:
            import torch
            from transformers import AutoModelForCausalLM, AutoTokenizer
            from transformers.utils import logging
        except ModuleNotFoundError as error:
            raise MissingExtraError(error.name or "transformers", "local") from error
        logging.disable_progress_bar()
        try:
            home = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
            dtype = torch.float32 if weights is not None and home.type == "cpu" else "auto"
            own = {"trust_remote_code": False}  # else it asks on stdin, where records may come from, and runs on "y"
            model = AutoModelForCausalLM.from_pretrained(place, dtype=dtype, **own).to(home)
            tokenizer = AutoTokenizer.from_pretrained(place, **own)
        except Exception as error:  # transformers raises whatever its parts raise
            reason = str(error).strip().split("\n")[0][:200]
            raise ModelError(f"{name} cannot be loaded: {reason}", hint="check the name or the folder") from error
        from structout.decoding.threads import limit_threads
        from structout.decoding.weights import convert

        limit_threads()
        if adapter is not None:
            if tuning is not None and checksum(model) != tuning.checksum:
                raise NoModelError(
                    f"{name} was fine-tuned from other weights than those of {tuning.base}",
                    hint="fine-tune it again, or give the model that it began as",
                )
            merge_adapter(model, adapter)
        convert(model, weights)
        return cls(name, model, tokenizer, slots=slots, tuning=tuning, features=features)

    def complete(self, prompts: Sequence[Prompt]) -> list[Completion]:
        answers: list[Completion | None] = [None] * len(prompts)
        asked: dict[int, tuple[int, Request]] = {}  # by the request's place in the stream

        def requests() -> Iterator["Request"]:
            """The requests, made only as the engine asks for them, so that a long queue takes no memory."""
            place = count()
            for i, prompt in enumerate(prompts):
                tokens = self.encode(prompt)
                if isinstance(tokens, str):
                    answers[i] = Completion("", finish_reason="refused", refusal=tokens)
                    continue
                request = self._request(prompt, tokens)
                asked[next(place)] = i, request
                yield request

        try:
            for place, output in self.engine.stream(requests()):
                i, request = asked.pop(place)
                answers[i] = self._completion(request, output)
        except (RuntimeError, MemoryError) as error:
            reason = str(error).strip().split("\n")[0][:200]
            raise ModelError(
                f"{self.name} failed: {reason}", hint="ask for fewer tokens, or a smaller model"
            ) from error
        return [answer for answer in answers if answer is not None]

    @property
    def network(self) -> Any:
        """The transformers model itself."""
        return self._model

    @property
    def tokenizer(self) -> Any:
        """Its tokenizer, as transformers has it."""
        return self._tokenizer

    @property
    def pad(self) -> int:
        """A token to fill up a batch with; what it is does not matter, as it is masked."""
        first: int = min(self._ends)
        return first

    @property
    def engine(self) -> "Engine":
        """The token loop, made at the first use."""
        from structout.decoding.engine import Engine

        with self._lock:
            if self._engine is None:
                self._engine = Engine(self._model, self._ends, self._decode, slots=self._slots, features=self._features)
            return self._engine

    def _request(self, prompt: Prompt, tokens: list[int]) -> "Request":
        from structout.decoding.request import Request

        matcher = None
        if prompt.constraint is not None:
            matcher = grammar.compile(prompt.constraint, prompt.mask).matcher(
                self.vocabulary, prompt.sampling.max_tokens
            )
        return Request(tokens, prompt.sampling, _seed(prompt), matcher)

    def _completion(self, request: "Request", output: "Generated") -> Completion:
        from structout.decoding.values import value_tokens

        text = self._decode(output.tokens)
        pieces = self._pieces(output.tokens, text) if request.matcher else None
        for stop in request.sampling.stop:
            text = text.partition(stop)[0]
        return Completion(
            text,
            Usage(
                calls=1,
                input_tokens=len(request.tokens),
                output_tokens=len(output.tokens),
                seconds=output.seconds,
                reused_tokens=output.reused,
                forced_tokens=output.forced,
                drafted_tokens=output.drafted,
                accepted_tokens=output.accepted,
                passes=output.passes,
                model_seconds=output.model_seconds,
                mask_seconds=output.mask_seconds,
            ),
            output.finish_reason,
            tuple(output.logprobs),
            self._steered(output.tokens, request.matcher.steered) if request.matcher else (),
            values=value_tokens(pieces) if pieces is not None else None,
            ends=tuple(accumulate(map(len, pieces))) if pieces is not None else None,
            refusal=output.reason,
        )

    def _pieces(self, tokens: Sequence[int], text: str) -> list[bytes] | None:
        """The bytes of each token; None for a tokenizer that writes a text otherwise than token by token."""
        pieces = [bytes(self.vocabulary.engine.decode_bytes([token])) for token in tokens]
        return pieces if b"".join(pieces).decode(errors="replace") == text else None

    def _steered(self, tokens: Sequence[int], places: Sequence[int]) -> tuple[tuple[int, int], ...]:
        """The stretches of the text that the tokens at these places wrote."""
        found: list[tuple[int, int]] = []
        for place in places:
            start, end = (len(self._decode(tokens[:n])) for n in (place, place + 1))
            if found and found[-1][1] == start:
                start = found.pop()[0]
            found.append((start, end))
        return tuple(found)

    def _decode(self, tokens: Sequence[int]) -> str:
        text: str = self._tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return text

    @cached_property
    def vocabulary(self) -> grammar.Vocabulary:
        """The model's tokens, as grammars need them."""
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

    def encode_answer(self, text: str) -> list[int]:
        """The tokens that this model would answer with to say `text` and no more."""
        tokens: list[int] = self._tokenizer(text, add_special_tokens=False, split_special_tokens=True).input_ids
        return [*tokens, self._tokenizer.eos_token_id]

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
