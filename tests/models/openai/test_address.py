"""Models behind servers by their names: which options there are, where keys go, and what is another model."""

from pathlib import Path

import pytest

from structout import Constrained, ModelError, Schema, SpecError, load_model
from structout.errors import JournalError, NoModelError
from structout.models import LazyModel, identity
from structout.models.openai.address import Address
from structout.models.openai.client import OpenAIModel
from structout.models.retries import Patience
from structout.pipeline.job import Job
from structout.pipeline.journal.journal import Journal
from tests.bolt import Bolt
from tests.models.openai.clients import ask, bolt
from tests.models.openai.servers import Proxy, serving

pytestmark = pytest.mark.usefixtures("key")
SCHEMA = Schema.of(Bolt)


def test_the_key_goes_to_its_own_server_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_API_KEY", "vllm-secret")
    with serving(Proxy(bolt)) as proxy:
        load_model(f"openai:m@{proxy.url}").complete([ask("1 mm")])
        load_model(f"openai:m@{proxy.url}#key=VLLM_API_KEY").complete([ask("1 mm")])
        monkeypatch.setenv("OPENAI_BASE_URL", proxy.url)
        for name in ("openai:m", f"openai:m@{proxy.url}", f"openai:m@{proxy.url}#key=VLLM_API_KEY"):
            load_model(name).complete([ask("1 mm")])
        monkeypatch.setenv("OPENAI_BASE_URL", "http://other.example/v1")
        load_model(f"openai:m@{proxy.url}").complete([ask("1 mm")])
    own, other, none = "Bearer sk-very-secret-0123456789", "Bearer vllm-secret", "Bearer none"
    assert proxy.keys == [none, other, own, own, other, none]
    assert Address.read("m@https://api.openai.com/v1").variable == "OPENAI_API_KEY"
    assert Address.read("m@http://api.openai.com/v1").variable == ""  # in the clear
    assert Address.read("m@https://api.openai.com.evil.example/v1").variable == ""


def test_what_the_environment_holds_for_one_server_goes_to_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-1")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "project-1")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Gateway: secret")
    ours = {"openai-organization", "openai-project", "x-gateway"}
    with serving(Proxy(bolt)) as proxy:
        load_model(f"openai:m@{proxy.url}").complete([ask("1 mm")])
        monkeypatch.setenv("OPENAI_BASE_URL", proxy.url)
        load_model("openai:m").complete([ask("1 mm")])
    assert [ours & headers.keys() for headers in proxy.headers] == [set(), ours]


def test_a_server_that_wants_a_key_says_how_to_give_it_one() -> None:
    with serving(Proxy(lambda body: {"status": 401})) as proxy:
        with pytest.raises(ModelError, match="requires a key") as caught:
            load_model(f"openai:m@{proxy.url}").complete([ask("1 mm")])
        assert "#key=OPENAI_API_KEY" in caught.value.hint
        with pytest.raises(ModelError, match="rejects the key") as caught:
            load_model(f"openai:m@{proxy.url}#key=OPENAI_API_KEY").complete([ask("1 mm")])
        assert caught.value.hint == "check OPENAI_API_KEY"
        with pytest.raises(ModelError, match="NO_SUCH_KEY"):
            load_model(f"openai:m@{proxy.url}#key=NO_SUCH_KEY")
        with pytest.raises(SpecError) as wrong:
            load_model(f"openai:m@{proxy.url}#key=sk-very-secret-0123456789")
    assert "secret" not in str(wrong.value)


def test_models_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    model = load_model("openai:org/m@http://127.0.0.1:9/v1#ollama,logprobs,5")
    assert isinstance(model, OpenAIModel)
    assert model.name == "openai:org/m@http://127.0.0.1:9/v1#ollama,logprobs"
    assert (model.dialect, model.limiter.most) == ("ollama", 5)
    patient = load_model("openai:m@http://127.0.0.1:9/v1#timeout=300")
    assert isinstance(patient, OpenAIModel)
    assert patient.patience == Patience(timeout=300)
    for wrong in ("u:p@host/v1", "host/v1?key=x", "host/v1#fast", "host/v1#timeout=soon", "host/v1#timeout=0"):
        with pytest.raises(SpecError):
            load_model(f"openai:m@http://{wrong}")
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(ModelError, match="missing key"):
        load_model("openai:gpt#logprobs")


@pytest.mark.parametrize(
    ("options", "same"),
    [("", True), ("8,timeout=9", True), ("key=OPENAI_API_KEY", True)]
    + [(one, False) for one in ("none", "json_schema", "logprobs", "n")],
)
def test_what_changes_answers_is_part_of_a_models_identity(options: str, same: bool) -> None:
    plain, other = "openai:m@http://127.0.0.1:9/v1", f"openai:m@http://127.0.0.1:9/v1#{options}"
    assert (identity(other) == plain) == same
    loaded = load_model(other).name
    assert identity(loaded) == loaded == identity(LazyModel(other).name)
    assert identity(f"{plain}#logprobs,none") == identity(f"{plain}#none,3,logprobs")


def test_where_a_model_is_served_is_part_of_its_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    somewhere = identity("openai:m#none")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://user:secret@127.0.0.1:9/v1?key=secret")
    assert load_model("openai:m").name == identity("openai:m") == identity("openai:m@http://127.0.0.1:9/v1")
    assert identity("openai:m#none") != somewhere == "openai:m#none"


def test_a_journal_does_not_go_on_with_a_model_that_is_asked_otherwise(tmp_path: Path) -> None:
    jobs = [Job(SCHEMA, load_model(f"openai:m@http://127.0.0.1:9/v1{one}"), Constrained()) for one in ("", "#none")]
    Journal(tmp_path / "j", jobs[0].identity()).close()
    Journal(tmp_path / "j", jobs[0].identity()).close()
    with pytest.raises(JournalError, match="model"):
        Journal(tmp_path / "j", jobs[1].identity())


@pytest.mark.parametrize(
    "url",
    ["http://[::1", "http://", "http://h:99999/v1", "http://h:0", "http://h:abc/v1", "http://\x00", "http://h/\n",
     "httpx://h", "http://ex\u200bample.com", "http://\ud800", "http://xn--\u20ac", f"http://h/{'a' * 100_000}"],
    ids=lambda url: ascii(url)[:30],
)  # fmt: skip
def test_what_is_no_servers_address_is_refused(url: str) -> None:
    with pytest.raises(SpecError, match="invalid server address") as caught:
        OpenAIModel("m", url)
    assert caught.value.hint
    with pytest.raises(SpecError, match="invalid server address"):
        load_model(f"openai:m@{url}")


@pytest.mark.parametrize("option", ["9" * 5000, "timeout=" + "9" * 5000, "timeout=\u00b2", "\u0661", "0", "timeout=0"])
def test_a_number_that_is_none_is_refused(option: str) -> None:
    with pytest.raises(SpecError):
        load_model(f"openai:m@http://127.0.0.1:9/v1#{option}")


@pytest.mark.parametrize("key", ["sk-secret\n", "sk-\u20ac", "sk-\x7f"])
def test_a_key_that_no_header_can_carry_is_refused_and_not_repeated(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", key)
    with pytest.raises(NoModelError, match="a header cannot hold it") as caught:
        load_model("openai:m@http://127.0.0.1:9/v1#key=SOME_KEY")
    assert key[:4] not in str(caught.value)
