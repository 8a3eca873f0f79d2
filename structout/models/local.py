"""A model that runs on this machine, with transformers."""

import hashlib
import re
import threading
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property, lru_cache
from itertools import accumulate, count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from structout import grammar
from structout.completion import Completion, Message, Prompt, Role, Usage
from structout.errors import MissingExtraError, ModelError, NoModelError, StructoutWarning
from structout.models.tuning import Tuning, checksum, merge_adapter
from structout.schema import Schema

if TYPE_CHECKING:
    from structout.decoding.engine import Engine
    from structout.decoding.features import Features
    from structout.decoding.request import Generated, Request
    from structout.decoding.weights import Weights

# Placeholders, in private-use characters, for the contents of messages while the chat template is rendered.
_PLACE = re.compile("\ue000(\\d+)\ue001")


class LocalModel:
    """A decoder-only transformers model with its tokenizer, which answers up to `slots` prompts at a time.

    The model does its own batching: prompts from several threads share the slots. `features` turns optimizations of
    the token loop on and off: see `structout.decoding.features`.
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
        self._told: set[str] = set()  # the schemas of which a warning was given
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
        """Load a model from a folder or by its Hugging Face name onto a device, by default the GPU if there is one.

        `weights` is the form of the linear layers: see `structout.decoding.weights`. Every form starts from fp32
        weights, so on the CPU it widens a bf16 or fp16 checkpoint. Without `weights` the checkpoint keeps its format,
        which takes half the memory but is slow on CPUs that do not calculate in the format. `adapter` is the folder of
        an adapter to merge into the weights; `tuning` says how the model was fine-tuned. Raises `ModelError`,
        `SpecError`, `MissingExtraError`.
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
            own = {"trust_remote_code": False}  # else transformers asks on stdin, where a record may say "y"
            model = AutoModelForCausalLM.from_pretrained(place, dtype=dtype, **own).to(home)
            tokenizer = AutoTokenizer.from_pretrained(place, **own)
        except Exception as error:  # transformers raises errors of many libraries
            reason = str(error).strip().split("\n")[0][:200]
            raise ModelError(f"cannot load {name}: {reason}", hint="check the name or the folder") from error
        from structout.decoding.threads import limit_threads
        from structout.decoding.weights import convert

        limit_threads()
        if adapter is not None:
            if tuning is not None and checksum(model) != tuning.checksum:
                raise NoModelError(
                    f"{name} was not fine-tuned from the weights of {tuning.base}",
                    hint="fine-tune it again, or restore the original base model",
                )
            merge_adapter(model, adapter)
        convert(model, weights)
        return cls(name, model, tokenizer, slots=slots, tuning=tuning, features=features)

    def complete(self, prompts: Sequence[Prompt]) -> list[Completion]:
        answers: list[Completion | None] = [None] * len(prompts)
        asked: dict[int, tuple[int, Request]] = {}  # by the request's place in the stream

        def requests() -> Iterator["Request"]:
            """The requests, made when the engine asks for them, so that a long queue takes no memory."""
            place = count()
            for i, prompt in enumerate(prompts):
                tokens = self.encode(prompt)
                request = tokens if isinstance(tokens, str) else self._request(prompt, tokens)
                if isinstance(request, str):
                    answers[i] = Completion("", finish_reason="refused", refusal=request)
                    continue
                asked[next(place)] = i, request
                yield request

        try:
            for place, output in self.engine.stream(requests()):
                i, request = asked.pop(place)
                answers[i] = self._completion(request, output)
        except (RuntimeError, MemoryError) as error:
            reason = str(error).strip().split("\n")[0][:200]
            raise ModelError(
                f"{self.name} failed: {reason}", hint="ask for fewer tokens, or use a smaller model"
            ) from error
        return [answer for answer in answers if answer is not None]

    @property
    def network(self) -> Any:
        """The transformers model itself."""
        return self._model

    @property
    def tokenizer(self) -> Any:
        """The transformers tokenizer of the model."""
        return self._tokenizer

    @property
    def pad(self) -> int:
        """A token that fills up a batch. It is masked, so any token would do."""
        first: int = min(self._ends)
        return first

    @property
    def engine(self) -> "Engine":
        """The token loop, created at the first use."""
        from structout.decoding.engine import Engine

        with self._lock:
            if self._engine is None:
                self._engine = Engine(self._model, self._ends, self._decode, slots=self._slots, features=self._features)
            return self._engine

    @property
    def continues(self) -> bool:
        """Whether this model can go on from the beginning of an answer."""
        return self.engine.packs

    def _request(self, prompt: Prompt, tokens: list[int]) -> "Request | str":
        """The request for a prompt, or the reason why the answer cannot begin as the prompt says."""
        from structout.decoding.request import Request

        begun = self._tokens(prompt.begun, data=True) if prompt.begun else []
        matcher, limit = None, prompt.sampling.max_tokens + len(begun)
        if prompt.constraint is not None:
            held = grammar.compile(prompt.constraint, prompt.mask, open_objects=prompt.open_objects)
            matcher = held.matcher(self.vocabulary, limit)
            if doubt := held.doubt(self.vocabulary, limit):
                self._tell(prompt.constraint, f"may be cut off at max_tokens {limit}: {doubt}")
            if matcher.try_advance(begun) < len(begun):
                return f"the beginning of the answer does not fit {prompt.constraint.name}"
        return Request(tokens, replace(prompt.sampling, max_tokens=limit), _seed(prompt), matcher, begun)

    def _tell(self, schema: Schema[Any], doubt: str) -> None:
        """Warn of doubtful answers, once a schema."""
        if schema.fingerprint() not in self._told:
            self._told.add(schema.fingerprint())
            warnings.warn(f"an answer for {schema.name} {doubt}", StructoutWarning, stacklevel=2)

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
                input_tokens=len(request.tokens) + len(request.begun),
                output_tokens=len(output.tokens) - len(request.begun),
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
        """The bytes of each token; None if they do not add up to the text that the tokenizer writes."""
        pieces = [bytes(self.vocabulary.engine.decode_bytes([token])) for token in tokens]
        return pieces if b"".join(pieces).decode(errors="replace") == text else None

    def _steered(self, tokens: Sequence[int], places: Sequence[int]) -> tuple[tuple[int, int], ...]:
        """The spans of the text that the tokens at `places` wrote; adjacent spans are joined."""
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
        """The model's tokens, in the form that grammars use."""
        return grammar.Vocabulary.of(self._tokenizer, self._model.config.vocab_size, sorted(self._ends))

    def render(self, prompt: Prompt) -> str:
        """The prompt as this model reads it: its chat template with the messages filled in."""
        contents = [message.content for message in prompt.messages]
        template = self._template(_asking(prompt)) + (f"\ue000{len(contents) - 1}\ue001" if prompt.begun else "")
        return _PLACE.sub(lambda place: contents[int(place[1])], template)

    def encode(self, prompt: Prompt) -> list[int] | str:
        """The prompt's tokens without the beginning of the answer, or the reason why this model cannot take the prompt.

        Only the text of the chat template can become control tokens; the contents of messages never do.
        """
        if prompt.begun and not self.continues:
            return f"{self.name} cannot go on from the beginning of an answer"
        tokens: list[int] = []
        try:
            for i, piece in enumerate(_PLACE.split(self._template(_asking(prompt)))):
                tokens += self._tokens(prompt.messages[int(piece)].content if i % 2 else piece, data=bool(i % 2))
            begun = len(self._tokens(prompt.begun, data=True)) if prompt.begun else 0
        except (UnicodeEncodeError, TypeError):
            return "the prompt is not valid Unicode: it contains an unpaired surrogate"
        room = self._context - prompt.sampling.max_tokens - begun
        if len(tokens) > room:
            return f"the prompt has {len(tokens):,} tokens, but {self.name} has room for {max(room, 0):,}"
        return tokens

    def _tokens(self, text: str, *, data: bool) -> list[int]:
        """The tokens of a text. Control tokens in `data` stay text."""
        tokens: list[int] = self._tokenizer(
            text, add_special_tokens=False, split_special_tokens=data, verbose=False
        ).input_ids
        return tokens

    def encode_answer(self, text: str) -> list[int]:
        """The tokens of an answer that is exactly `text`, with the token that ends it."""
        tokens: list[int] = self._tokenizer(text, add_special_tokens=False, split_special_tokens=True).input_ids
        return [*tokens, self._tokenizer.eos_token_id]

    def _written_template(self, roles: tuple[Role, ...]) -> str:
        marks = [Message(role, f"\ue000{i}\ue001") for i, role in enumerate(roles)]
        if not self._tokenizer.chat_template:
            return "\n\n".join(mark.content for mark in marks) + "\n\n"
        try:
            return self._apply(marks)
        except Exception as error:  # a template may raise any error; some reject the system role
            if roles[:2] != ("system", "user"):
                raise ModelError(f"the chat template of {self.name} cannot render {roles}: {error}") from error
            return self._apply([Message("user", f"{marks[0].content}\n\n{marks[1].content}"), *marks[2:]])

    def _apply(self, messages: Sequence[Message]) -> str:
        turns = [{"role": message.role, "content": message.content} for message in messages]
        text: str = self._tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        return text


def _asking(prompt: Prompt) -> tuple[Role, ...]:
    """The roles of the messages before the answer begins."""
    roles = tuple(message.role for message in prompt.messages)
    return roles[:-1] if prompt.begun else roles


def _seed(prompt: Prompt) -> int:
    """A seed that depends on the prompt, the sampling seed and the sample's index, but not on the batch."""
    return int.from_bytes(hashlib.sha256(prompt.key().encode()).digest()[:8], "big") >> 1
