"""A model that answers from a script: the public test double for pipelines and strategies."""

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from structout.completion import Completion, Prompt, Usage
from structout.document import load_json
from structout.errors import ModelError, NoModelError, SpecError

Script = Mapping[str, str | Sequence[str]] | Callable[[Prompt], str | Completion] | str


class Scripted:
    """Answers each prompt from a script, and keeps every batch in `batches` unless `keep` is false.

    The script is one answer to every prompt, a function of the prompt, or a mapping. A mapping's key is a part of the
    record; its value is the answer, or a list of answers to give in turn, of which the last is repeated. The latest
    user message that contains a key decides. Tokens are counted as words. A script of another type raises `SpecError`,
    and a record without a key raises `ModelError`.
    """

    def __init__(self, script: Script, *, name: str = "scripted", keep: bool = True) -> None:
        if not (isinstance(script, str | Mapping) or callable(script)):
            hint = 'write e.g. {"": ["first answer", "second answer"]}: every text contains ""'
            problem = f"invalid script: got {type(script).__name__}, expected a text, a mapping or a function"
            raise SpecError(problem, hint=hint)
        self.name = name
        self.batches: list[list[Prompt]] = []
        self.calls = 0  # the number of prompts answered so far
        self._keep = keep
        self._script = script
        self._given: dict[str, int] = {}
        self._lock = threading.Lock()

    @classmethod
    def load(cls, path: str | Path) -> "Scripted":
        """Read a script from a JSON file: a text, or an object of answers. Raises `NoModelError`."""
        try:
            script = load_json(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise NoModelError(f"cannot read the script {path}: {error}", hint="give a JSON file") from error
        if not isinstance(script, str | dict):
            hint = "write a text or an object of answers into it"
            raise NoModelError(f"invalid script {path}: got {type(script).__name__}, expected str or dict", hint=hint)
        return cls(script, name=f"scripted:{path}", keep=False)

    def complete(self, prompts: Sequence[Prompt]) -> list[Completion]:
        with self._lock:
            self.calls += len(prompts)
            if self._keep:
                self.batches.append(list(prompts))
            return [self._answer(prompt) for prompt in prompts]

    def _answer(self, prompt: Prompt) -> Completion:
        answer = self._look_up(prompt)
        if isinstance(answer, Completion):
            return answer
        read = sum(len(message.content.split()) for message in prompt.messages)
        return Completion(answer, Usage(calls=1, input_tokens=read, output_tokens=len(answer.split())))

    def _look_up(self, prompt: Prompt) -> str | Completion:
        if isinstance(self._script, str):
            return self._script
        if callable(self._script):
            return self._script(prompt)
        asked = [message.content for message in prompt.messages if message.role == "user"]
        for content in reversed(asked):
            for key, answers in self._script.items():
                if key in content:
                    if isinstance(answers, str):
                        return answers
                    turn = self._given.get(key, 0)
                    self._given[key] = turn + 1
                    return answers[min(turn, len(answers) - 1)]
        raise ModelError(f"the script has no answer to {asked[-1][:80]!r}", hint="add a key that occurs in the record")
