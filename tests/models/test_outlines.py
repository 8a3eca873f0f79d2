"""Models that outlines drives: what reaches them, and what comes back."""

from typing import Any, Literal

import pytest

from structout.completion import Message, Prompt, Sampling
from structout.errors import ModelError
from structout.language import Regex
from structout.models.outlines import from_outlines
from structout.schema import Schema

outlines = pytest.importorskip("outlines")


class Adapter:
    has_chat_template = True


def stub(answer: str | Exception) -> Any:
    """An outlines model behind an API, with one answer for everything; `asked` keeps what it was asked."""
    from outlines.models.base import Model

    class OpenAI(Model):  # type: ignore[misc]
        type_adapter = Adapter()

        def __init__(self) -> None:
            self.asked: list[tuple[Any, Any, dict[str, Any]]] = []

        def generate(self, model_input: Any, output_type: Any = None, **options: Any) -> str:
            self.asked.append((model_input, output_type, options))
            if isinstance(answer, Exception):
                raise answer
            return answer

        def generate_batch(self, model_input: Any, output_type: Any = None, **options: Any) -> Any:
            raise NotImplementedError

        def generate_stream(self, model_input: Any, output_type: Any = None, **options: Any) -> Any:
            raise NotImplementedError

    return OpenAI()


def prompt(constraint: Any = None) -> Prompt:
    messages = (Message("system", "Be brief."), Message("user", "Hello"))
    schema = None if constraint is None else Schema.of(constraint)
    return Prompt(messages, Sampling(temperature=0.5, max_tokens=20, seed=3), schema)


@pytest.fixture(autouse=True)
def _stub_is_black_box(monkeypatch: pytest.MonkeyPatch) -> None:
    import outlines

    def generator(model: Any, output_type: Any, backend: str | None) -> Any:
        return lambda text, **options: model.generate(text, output_type, **options)

    monkeypatch.setattr(outlines, "Generator", generator)


def test_the_conversation_and_the_sampling_reach_the_model() -> None:
    model = stub("hi")
    completion = from_outlines(model).complete([prompt()])[0]
    assert completion.text == "hi"
    assert completion.usage.calls == 1
    chat, constraint, options = model.asked[0]
    assert [message["role"] for message in chat.messages] == ["system", "user"]
    assert constraint is None
    assert options == {"max_tokens": 20, "temperature": 0.5, "seed": 3}


@pytest.mark.parametrize(
    ("constraint", "kind"), [({"type": "object"}, "JsonSchema"), (Regex("a+"), "Regex"), (Literal["a.b", "c"], "Regex")]
)
def test_constraints_are_handed_on(constraint: Any, kind: str) -> None:
    model = stub("x")
    from_outlines(model).complete([prompt(constraint)])
    assert type(model.asked[0][1]).__name__ == kind


def test_a_choice_is_taken_literally() -> None:
    model = stub("x")
    from_outlines(model).complete([prompt(Literal["a.b", "c"])])
    assert model.asked[0][1].pattern == r"a\.b|c"


def test_a_model_that_fails_is_a_model_error() -> None:
    with pytest.raises(ModelError, match="no route"):
        from_outlines(stub(OSError("no route"))).complete([prompt()])


def test_what_is_no_outlines_model_is_refused() -> None:
    with pytest.raises(ModelError, match="no outlines model"):
        from_outlines(object())
