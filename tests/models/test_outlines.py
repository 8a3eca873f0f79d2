"""Models that outlines drives: what reaches them, and what comes back."""

from typing import Any, Literal

import pytest

from structout.completion import Message, Prompt, Sampling
from structout.errors import ModelError
from structout.language import Lark, Regex, Sql
from structout.models.outlines import from_outlines
from structout.result import Task
from structout.schema import Schema
from structout.strategies import Constrained

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


DDL = "CREATE TABLE person (id INT, name TEXT); CREATE TABLE pet (id INT, owner INT);"


@pytest.mark.parametrize(
    ("constraint", "kind"),
    [
        ({"type": "object"}, "JsonSchema"),
        (Regex("a+"), "Regex"),
        (Literal["a.b", "c"], "Regex"),
        (Lark('start: "a"'), "CFG"),
        (Sql(DDL), "CFG"),
    ],
)
def test_constraints_are_handed_on(constraint: Any, kind: str) -> None:
    model = stub("x")
    from_outlines(model).complete([prompt(constraint)])
    assert type(model.asked[0][1]).__name__ == kind


def test_what_a_black_box_cannot_be_held_to_is_only_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    from outlines.models.openai import OpenAITypeAdapter

    model = stub("SELECT name FROM person")
    monkeypatch.setattr(model, "type_adapter", OpenAITypeAdapter())
    outlined = from_outlines(model)
    for constraint, held in ((Sql(DDL), False), (Regex("a+"), False), ({"type": "object"}, True)):
        outlined.complete([prompt(constraint)])
        assert (model.asked[-1][1] is not None) is held
    task = Task("Who?", Schema.of(Sql(DDL)))
    assert Constrained().run([task], outlined)[0].value == "SELECT name FROM person"
    assert Constrained().run([task], from_outlines(stub("SELECT age FROM person")))[0].status == "invalid"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # outlines compiles a kernel with what torch gives up
def test_a_steerable_model_is_held_to_the_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from structout.models.embedded import embedded_folder

    monkeypatch.undo()  # the real generators
    folder = embedded_folder()
    network = AutoModelForCausalLM.from_pretrained(folder)
    model = outlines.from_transformers(network, AutoTokenizer.from_pretrained(folder))
    schema = Schema.of(Sql(DDL))
    asked = Prompt((Message("user", "What are the people called?"),), Sampling(max_tokens=12), schema)
    completion = from_outlines(model, backend="outlines_core").complete([asked])[0]  # which knows no grammars
    assert completion.text.startswith("SELECT ")
    assert completion.finish_reason == "length" or schema.check_text(completion.text).ok


def test_a_choice_is_taken_literally() -> None:
    model = stub("x")
    from_outlines(model).complete([prompt(Literal["a.b", "c"])])
    assert model.asked[0][1].pattern == r"a\.b|c"


def test_a_model_that_fails_is_a_model_error() -> None:
    with pytest.raises(ModelError, match="no route"):
        from_outlines(stub(OSError("no route"))).complete([prompt()])


def test_what_is_no_outlines_model_is_refused() -> None:
    with pytest.raises(ModelError, match="invalid outlines model"):
        from_outlines(object())
