import json
import warnings
from typing import Any

import pytest
from pydantic_ai.exceptions import (
    ModelConnectionError,
    ModelHTTPError,
    ModelQuotaExceededError,
    ModelRateLimitError,
    ModelRequestTimeout,
)
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ThinkingPart, ToolCallPart
from pydantic_ai.models.fallback import FallbackModel
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.models.test import TestModel
from pydantic_ai.profiles import ModelProfile

from structout import Completion, ModelError, NoModelError, SpecError, StructoutWarning
from structout.models.base import PartialAnswerError
from structout.models.lanes import ask_in_lanes
from structout.models.providers.hosted import from_pydantic_ai
from structout.models.retries import Patience
from structout.testing import check_model
from tests.models.providers.asking import (
    DOCUMENT,
    NATIVE,
    PROMPTED,
    READ,
    SCHEMA,
    TOOL,
    WROTE,
    Asked,
    ask,
    bolt,
    of,
    said,
)


def test_a_model_of_pydantic_ai_is_a_model() -> None:
    check_model(of(Asked()))


@pytest.mark.parametrize(("profile", "way"), [(NATIVE, "native"), (TOOL, "tool")])
def test_an_answer_is_held_in_the_strongest_way_and_comes_back_as_a_document(profile: ModelProfile, way: str) -> None:
    asked = Asked(profile=profile)
    (answer,) = of(asked).complete([ask()])
    assert json.loads(answer.text) == DOCUMENT
    assert answer.finish_reason == "stop"
    assert answer.version.split() == ["m", way]
    parameters = asked.infos[0].model_request_parameters
    assert parameters.output_mode == way
    held = parameters.output_object.json_schema if parameters.output_object else None
    schema = held or parameters.output_tools[0].parameters_json_schema
    assert schema["required"] == ["name", "size", "stock"]


def test_where_only_the_prompt_holds_an_answer_that_is_said_once() -> None:
    asked = Asked(profile=PROMPTED)
    model = of(asked)
    with pytest.warns(StructoutWarning, match="may not comply") as caught:
        answers = model.complete([ask(), ask("nuts")])
    assert len(caught) == 1
    assert [json.loads(answer.text) for answer in answers] == [DOCUMENT] * 2
    assert answers[0].version.split() == ["m", "prompted"]


def test_a_prompt_without_a_schema_gets_a_text() -> None:
    (answer,) = of(Asked(lambda info, number: said(ThinkingPart("hm"), TextPart("Hel"), TextPart("lo")))).complete(
        [ask(schema=None)]
    )
    assert (answer.text, answer.version) == ("Hello", "m")


def test_all_tokens_are_counted() -> None:
    (answer,) = of(Asked()).complete([ask()])
    usage = answer.usage
    assert (usage.calls, usage.input_tokens, usage.output_tokens) == (1, READ, WROTE)
    assert (usage.reused_tokens, usage.stored_tokens, usage.thinking_tokens) == (5, 2, 3)
    assert usage.seconds > 0


def test_pydantic_ais_test_model_answers() -> None:
    (answer,) = from_pydantic_ai(TestModel()).complete([ask()])
    assert SCHEMA.check_text(answer.text).ok


@pytest.mark.parametrize(
    ("finish", "expected"),
    [("stop", "stop"), ("tool_call", "stop"), ("length", "length"), ("content_filter", "refused")],
)
def test_the_reason_why_an_answer_ended(finish: str, expected: str) -> None:
    asked = Asked(lambda info, number: said(TextPart('{"name": "b'), finish=finish, details={"refusal": "not that"}))
    (answer,) = of(asked).complete([ask()])
    assert answer.finish_reason == expected
    assert answer.refusal == ("not that" if expected == "refused" else "")
    assert answer.usage.output_tokens == WROTE


@pytest.mark.parametrize("finish", [None, "error"])
def test_an_answer_whose_end_is_unknown_is_never_accepted_but_charged(finish: str | None) -> None:
    def answer(info: AgentInfo, number: int) -> ModelResponse:
        return said(TextPart("{}"), finish=finish) if number == 0 else bolt(info)

    (found,) = of(Asked(answer)).complete([ask()])
    assert json.loads(found.text) == DOCUMENT
    assert (found.usage.calls, found.usage.input_tokens) == (2, 2 * READ)


def test_a_prompt_without_a_usable_answer_is_refused_and_charged() -> None:
    asked = Asked(lambda info, number: said(TextPart("{}"), finish=None) if number < 3 else bolt(info))
    model = of(asked)
    (refused,) = model.complete([ask()])
    assert (refused.finish_reason, refused.usage.calls) == ("refused", 3)
    assert "unknown reason" in refused.refusal
    (answer,) = model.complete([ask()])
    assert answer.usage.calls == 1


def test_a_stop_text_ends_an_answer_even_where_the_provider_takes_none() -> None:
    asked = Asked(lambda info, number: said(TextPart("one\ntwo")))
    (answer,) = of(asked).complete([ask(schema=None, stop=("\n",))])
    assert answer.text == "one"


def failing(error: Exception, times: int) -> Asked:
    def answer(info: AgentInfo, number: int) -> ModelResponse:
        if number < times:
            raise error
        return bolt(info)

    return Asked(answer)


def http(status: int, message: str = "no", **given: Any) -> ModelHTTPError:
    return ModelHTTPError(status, "m", {"error": {"message": message}}, **given)


@pytest.mark.parametrize(
    "error",
    [http(status) for status in (408, 409, 424, 429, 498, 499, 500, 502, 503, 504, 529)]
    + [ModelConnectionError("m", "reset"), ModelRequestTimeout("m", 5), ModelRateLimitError("m", "slow down")],
)
def test_what_may_pass_is_tried_again(error: Exception) -> None:
    asked = failing(error, 2)
    (answer,) = of(asked).complete([ask()])
    assert json.loads(answer.text) == DOCUMENT
    assert len(asked.infos) == 3


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (http(401, "invalid x-api-key"), "rejects the key.*invalid x-api-key"),
        (http(402, "pay first"), "pay first"),
        (http(404, "no such model"), "no such model"),
        (http(429, "You exceeded your quota (insufficient_quota)"), "exceeded your quota"),
        (ModelQuotaExceededError("m", "credit balance is too low"), "credit balance"),
    ],
)
def test_what_cannot_pass_stops_with_the_servers_words(error: Exception, words: str) -> None:
    asked = failing(error, 99)
    with pytest.raises(ModelError, match=words) as caught:
        of(asked).complete([ask()])
    assert caught.value.hint
    assert caught.value.stops
    assert len(asked.infos) == 1


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_rejected_prompt_is_refused_alone(status: int) -> None:
    asked = failing(http(status, "flagged by moderation"), 1)
    model = of(asked)
    answers = [model.complete([ask(text)])[0] for text in ("a", "b")]
    assert [answer.finish_reason for answer in answers] == ["refused", "stop"]
    assert "flagged by moderation" in answers[0].refusal
    assert len(asked.infos) == 2


def test_a_403_refuses_a_row_where_it_is_about_the_row() -> None:
    (answer,) = of(failing(http(403, "input flagged by moderation"), 1)).complete([ask()])
    assert answer.finish_reason == "refused"
    asked = Asked(lambda info, number: bolt(info) if number == 0 else raised(http(403, "not this one")))
    model = of(asked)
    assert [model.complete([ask(text)])[0].finish_reason for text in ("a", "b")] == ["stop", "refused"]
    with pytest.raises(ModelError, match="rejects the key"):
        of(failing(http(403, "no access"), 1)).complete([ask()])


@pytest.mark.parametrize(
    ("text", "finish"),
    [('{"name": "b", "size": "big", "stock": null}', "stop"), ("Sure!", "stop"), ('{"name": "b", "si', "length")],
)
def test_what_a_provider_finds_invalid_is_an_answer_and_charged(text: str, finish: str) -> None:
    error = ModelHTTPError(400, "m", {"error": {"message": "json_validate_failed", "failed_generation": text}})
    asked = failing(error, 1)
    model = of(asked)
    with pytest.warns(StructoutWarning, match="without a token count"):
        (answer,) = model.complete([ask()])
    assert (answer.text, answer.finish_reason) == (text, finish)
    assert answer.usage.output_tokens == len(text) + 1
    assert answer.usage.estimated_tokens == answer.usage.input_tokens + answer.usage.output_tokens
    assert model.complete([ask()])[0].version == "m native"  # the next row is held as before


def test_a_bad_key_is_one_whatever_the_status() -> None:
    with pytest.raises(NoModelError, match="rejects the key"):
        of(failing(http(400, "API key not valid. Please pass a valid API key."), 9)).complete([ask()])


def raised(error: Exception) -> ModelResponse:
    raise error


def test_a_schema_that_a_provider_does_not_take_is_held_by_a_tool_from_then_on() -> None:
    def answer(info: AgentInfo, number: int) -> ModelResponse:
        if info.model_request_parameters.output_mode == "native":
            raise http(400, "output_config.format.schema: too many optional parameters")
        return bolt(info)

    asked = Asked(answer)
    model = of(asked)
    with pytest.warns(StructoutWarning, match=r"by a tool call.*too many optional"):
        model.complete([ask()])
    (again,) = model.complete([ask("nuts")])
    assert again.version == "m tool"
    assert len(asked.infos) == 3


def test_a_temperature_that_a_model_refuses_is_left_out_and_said_once() -> None:
    def answer(info: AgentInfo, number: int) -> ModelResponse:
        if "temperature" in (info.model_settings or {}):
            raise http(400, "Unsupported value: 'temperature' does not support 0.0 with this model")
        return bolt(info)

    asked = Asked(answer)
    model = of(asked)
    with pytest.warns(StructoutWarning, match="temperature") as caught:
        model.complete([ask()])
    model.complete([ask("nuts")])
    assert len(caught) == 1
    assert len(asked.infos) == 3


def test_no_key_reaches_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANY_API_KEY", "very-secret-words")
    for secret in ("sk-ant-api03-abcdefgh", "very-secret-words"):
        for status in (400, 401, 500):
            model = of(failing(http(status, f"wrong key: {secret}"), 99))
            try:
                shown = model.complete([ask()])[0].refusal
            except ModelError as error:
                shown = str(error)
            assert "wrong key" in shown
            assert secret not in shown


def test_no_paid_answer_is_lost_when_others_fail() -> None:
    asked = Asked()

    def failing_for_nuts(info: AgentInfo, number: int) -> ModelResponse:
        if "nuts" in str(asked.messages[number]):
            raise http(401)
        return bolt(info)

    asked._answer = failing_for_nuts
    model = of(asked, in_flight=1)
    with pytest.raises(PartialAnswerError) as caught:
        model.complete([ask(), ask("nuts")])
    first, second = caught.value.completions
    assert first is not None
    assert second is None


def test_faults_of_some_rows_leave_the_others_as_they_are() -> None:
    faults: list[Exception] = [http(status) for status in (400, 408, 413, 422, 424, 429, 498, 500, 503, 529)]
    faults += [ModelConnectionError("m", "reset"), http(403, "flagged"), http(400, "json_validate_failed")]
    met: set[int] = set()

    def answer(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        assert info.model_request_parameters.output_mode == "native"
        number = int(str(messages[0].parts[-1].content))  # type: ignore[union-attr]
        if number // 3 < len(faults) and number not in met:
            met.add(number)
            raise faults[number // 3]
        return bolt(info)

    model = from_pydantic_ai(FunctionModel(answer, profile=NATIVE))
    model.patience = Patience(timeout=5, attempts=3, seconds=60, longest_wait=0.05)
    answers = model.complete([ask(str(number)) for number in range(200)])
    refused = [number for number, one in enumerate(answers) if one.finish_reason == "refused"]
    assert len(answers) == 200
    assert len(met) == 3 * len(faults)
    assert refused == [number for number in sorted(met) if number // 3 in (0, 2, 3, 11, 12)]
    assert {one.version.split()[-1] for one in answers if one.version} == {"native"}


def test_settings_reach_the_model_and_its_name() -> None:
    asked = Asked(profile=ModelProfile(supports_json_schema_output=True, supports_thinking=True))
    model = of(asked, settings={"thinking": "low", "extra_headers": {"x-team": "catalogue"}})
    model.complete([ask(temperature=0.5, seed=7, top_p=0.9)])
    sent: Any = asked.infos[0].model_settings
    assert sent["extra_headers"] == {"x-team": "catalogue"}
    assert (sent["temperature"], sent["top_p"], sent["max_tokens"]) == (0.5, 0.9, 512)
    assert sent["seed"] == 7_000_021
    assert sent["max_retries"] == 0
    assert model.name.startswith("pydantic-ai:function:m#settings@")
    assert "catalogue" not in model.name
    assert of(Asked()).name == "pydantic-ai:function:m"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"thinkin": "low"}, "do you mean thinking"),
        ({"thinking": "very"}, "invalid setting"),
        ({"thinking": "low"}, "does not take 'thinking'"),
        ({"temperature": 1}, "structout decides"),
        ({"max_retries": 3}, "structout decides"),
    ],
)
def test_an_invalid_setting_is_named(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(SpecError, match=words):
        of(Asked(), settings=settings)


@pytest.mark.parametrize("sampling", [{"min_p": 0.1}, {"repetitions": 3}])
def test_a_filter_that_no_request_can_state_is_an_error(sampling: dict[str, Any]) -> None:
    asked = Asked()
    with pytest.raises(SpecError, match="does not support"):
        of(asked).complete([ask(**sampling)])
    assert not asked.infos


def test_the_first_tool_call_is_the_answer() -> None:
    call = ToolCallPart("Part", '{"name": "nut", "size": 1, "stock": null}')
    (answer,) = of(Asked(lambda info, number: said(TextPart("Here:"), call), TOOL)).complete([ask()])
    assert json.loads(answer.text) == {"name": "nut", "size": 1}


def test_nothing_is_said_where_nothing_is_lost() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        of(Asked()).complete([ask(), ask("nuts")])


@pytest.mark.parametrize("written", ['{"name": "nut", "name": "bolt", "size": 1, "stock": []}', '{"name": "nut", "si'])
def test_the_arguments_of_a_tool_call_are_read_as_the_model_wrote_them(written: str) -> None:
    asked = Asked(lambda info, number: said(ToolCallPart("Part", written), finish="tool_call"), TOOL)
    (answer,) = of(asked).complete([ask()])
    assert answer.text == written
    assert not SCHEMA.check_text(answer.text).ok


def test_an_answer_of_another_kind_costs_no_other_answer() -> None:
    part: Any = TextPart("")
    part.content = None
    answers = of(Asked(lambda info, number: said(part) if number == 0 else bolt(info)), in_flight=1).complete(
        [ask(), ask("nuts")]
    )
    assert [answer.text == "" for answer in answers] == [True, False]
    part.content = b"bolt"
    answers = of(Asked(lambda info, number: said(part) if number < 3 else bolt(info)), in_flight=1).complete(
        [ask(), ask("nuts")]
    )
    assert [answer.finish_reason for answer in answers] == ["refused", "stop"]
    assert answers[0].refusal.startswith("no usable answer: the answer cannot be read: sequence item 0")
    assert answers[0].usage.output_tokens == 3 * WROTE


def test_an_answer_that_pydantic_ai_cannot_read_is_charged_and_refused() -> None:
    model = of(failing(IndexError("list index out of range"), 99))
    model.patience = Patience(attempts=9)
    (answer,) = model.complete([ask()])
    assert (answer.finish_reason, answer.usage.calls) == ("refused", 3)
    assert "the answer cannot be read: list index out of range" in answer.refusal
    assert answer.usage.input_tokens > 0
    with pytest.raises(ModelError, match="does not answer"):
        of(failing(OSError("reset"), 99)).complete([ask()])


def test_any_error_keeps_the_answers_that_are_paid_for() -> None:
    def asked(places: list[int]) -> list[Completion]:
        if places == [1]:
            raise SpecError("invalid sampling", hint="leave it out")
        return [Completion("paid")]

    with pytest.raises(PartialAnswerError, match="invalid sampling") as caught:
        ask_in_lanes(asked, [[0], [1], [2]], 1)
    assert [one is not None for one in caught.value.completions] == [True, False, False]
    assert caught.value.stops
    with pytest.raises(SpecError):
        ask_in_lanes(asked, [[1], [0]], 1)


def test_a_model_that_chooses_among_others_is_an_error() -> None:
    with pytest.raises(SpecError, match="a FallbackModel has no profile"):
        from_pydantic_ai(FallbackModel(TestModel(), TestModel()))
