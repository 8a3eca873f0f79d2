"""The kinds of servers, and how each client connects to one."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.emulated import Provider, Speaker
from benchmarks.emulated.anthropic import Anthropic
from benchmarks.emulated.compatible import groq, llama_cpp, mistral, ollama, silent, vllm
from benchmarks.emulated.google import Google
from benchmarks.emulated.openai import OpenAI, azure
from structout.models import Model, load_model

KEY = "key-of-nobody"


@dataclass(frozen=True)
class Kind:
    """A kind of server: its provider, and the clients at its address."""

    name: str
    provider: Callable[[Speaker], Provider]
    ours: Callable[[str], Model]  # of the address
    agent: Callable[[str], Any]  # a model of pydantic-ai
    instructor: Callable[[str], Any]  # a client of instructor


def _hosted(agent: Callable[[str], Any]) -> Callable[[str], Model]:
    """Our model of a hosted provider, by pydantic-ai's client."""

    def connect(url: str) -> Model:
        from structout.models.providers.hosted import HostedModel

        model = agent(url)
        return HostedModel(model, name=f"pydantic-ai:{model.system}:{model.model_name}")

    return connect


def _own(model: str) -> Callable[[str], Model]:
    return lambda url: load_model(f"openai:{model}@{url}/v1")


def _responses(url: str) -> Any:
    from pydantic_ai.models.openai import OpenAIResponsesModel
    from pydantic_ai.providers.openai import OpenAIProvider

    return OpenAIResponsesModel("gpt-4o", provider=OpenAIProvider(base_url=f"{url}/v1", api_key=KEY))


def _chat(model: str) -> Callable[[str], Any]:
    def connect(url: str) -> Any:
        from pydantic_ai.models.openai import OpenAIChatModel
        from pydantic_ai.providers.openai import OpenAIProvider

        return OpenAIChatModel(model, provider=OpenAIProvider(base_url=f"{url}/v1", api_key=KEY))

    return connect


def _azure(url: str) -> Any:
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.azure import AzureProvider

    return OpenAIChatModel("gpt-4o", provider=AzureProvider(azure_endpoint=url, api_version="2024-10-21", api_key=KEY))


def _anthropic(url: str) -> Any:
    from pydantic_ai.models.anthropic import AnthropicModel
    from pydantic_ai.providers.anthropic import AnthropicProvider

    return AnthropicModel("claude-sonnet-4-6", provider=AnthropicProvider(api_key=KEY, base_url=url))


def _google(url: str) -> Any:
    from pydantic_ai.models.google import GoogleModel
    from pydantic_ai.providers.google import GoogleProvider

    return GoogleModel("gemini-2.5-flash", provider=GoogleProvider(api_key=KEY, base_url=url))


def _groq(url: str) -> Any:
    from pydantic_ai.models.groq import GroqModel
    from pydantic_ai.providers.groq import GroqProvider

    return GroqModel("openai/gpt-oss-20b", provider=GroqProvider(api_key=KEY, base_url=url))


def _mistral(url: str) -> Any:
    from pydantic_ai.models.mistral import MistralModel
    from pydantic_ai.providers.mistral import MistralProvider

    return MistralModel("mistral-large-latest", provider=MistralProvider(api_key=KEY, base_url=url))


def _ollama(url: str) -> Any:
    from pydantic_ai.models.ollama import OllamaModel
    from pydantic_ai.providers.ollama import OllamaProvider

    return OllamaModel("qwen3", provider=OllamaProvider(base_url=f"{url}/v1", api_key=KEY))


def _peer() -> Any:
    import instructor  # type: ignore[import-not-found, unused-ignore]

    return instructor


def _peer_openai(model: str) -> Callable[[str], Any]:
    def connect(url: str) -> Any:
        import openai

        return _peer().from_openai(openai.OpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0), model=model)

    return connect


def _peer_azure(url: str) -> Any:
    import openai

    client = openai.AzureOpenAI(azure_endpoint=url, api_key=KEY, api_version="2024-10-21", max_retries=0)
    return _peer().from_openai(client, model="gpt-4o")


def _peer_anthropic(url: str) -> Any:
    import anthropic

    client = anthropic.Anthropic(base_url=url, api_key=KEY, max_retries=0)
    return _peer().from_anthropic(client, model="claude-sonnet-4-6", max_tokens=512)


def _peer_google(url: str) -> Any:
    from google import genai

    client = genai.Client(api_key=KEY, http_options=genai.types.HttpOptions(base_url=url))
    return _peer().from_genai(client, model="gemini-2.5-flash")


def _peer_groq(url: str) -> Any:
    import groq

    client = groq.Groq(base_url=url, api_key=KEY, max_retries=0)
    return _peer().from_groq(client, model="openai/gpt-oss-20b")


def _peer_mistral(url: str) -> Any:
    from mistralai.client import Mistral

    return _peer().from_mistral(Mistral(api_key=KEY, server_url=url), model="mistral-large-latest")


KINDS = (
    Kind("OpenAI chat, strict", OpenAI, _own("gpt-4o"), _chat("gpt-4o"), _peer_openai("gpt-4o")),
    Kind("OpenAI responses, strict", OpenAI, _hosted(_responses), _responses, _peer_openai("gpt-4o")),
    Kind("Azure", azure, _hosted(_azure), _azure, _peer_azure),
    Kind("Anthropic", Anthropic, _hosted(_anthropic), _anthropic, _peer_anthropic),
    Kind("Google", Google, _hosted(_google), _google, _peer_google),
    Kind("Groq", groq, _hosted(_groq), _groq, _peer_groq),
    Kind("Mistral", mistral, _hosted(_mistral), _mistral, _peer_mistral),
    Kind("vLLM", vllm, _own("qwen3"), _chat("qwen3"), _peer_openai("qwen3")),
    Kind("llama.cpp", llama_cpp, _own("qwen3"), _chat("qwen3"), _peer_openai("qwen3")),
    Kind("Ollama", ollama, _own("qwen3"), _ollama, _peer_openai("qwen3")),
    Kind("ignores schemas", silent, _own("qwen3"), _chat("qwen3"), _peer_openai("qwen3")),
)
