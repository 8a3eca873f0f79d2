"""What is installed: structout's extras, the embedded model, keys by their names, and the device."""

import os
import platform
import shutil
import subprocess
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Final

_PATIENCE = 10.0  # seconds for the driver of a GPU to answer
# The variables in which providers' clients look for a key. Only their names are ever shown.
_KEYS: Final = (
    "ANTHROPIC_API_KEY", "AWS_ACCESS_KEY_ID", "AWS_BEARER_TOKEN_BEDROCK", "AZURE_OPENAI_API_KEY", "GOOGLE_API_KEY",
    "GROQ_API_KEY", "HF_TOKEN", "MISTRAL_API_KEY", "OPENAI_API_KEY", "OPENROUTER_API_KEY",
)  # fmt: skip
_LOCAL: Final = ("llguidance", "accelerate", "gguf", "outlines", "safetensors", "torch", "transformers")


@dataclass(frozen=True)
class Extra:
    """An extra of structout: its name, what it brings, and the packages that it names itself."""

    name: str
    brings: str
    packages: tuple[str, ...]

    @property
    def missing(self) -> tuple[str, ...]:
        """The packages that are not installed."""
        return tuple(one for one in self.packages if not _is_installed(one))

    @property
    def line(self) -> str:
        """The command that installs the extra."""
        cpu = f' (for a CPU: uv pip install --torch-backend=cpu "structout[{self.name}]")'
        return f'pip install "structout[{self.name}]"' + (cpu if "torch" in self.packages else "")


# For users; `dev` and `docs` are for the work on structout itself. tests/test_install.py compares with pyproject.toml.
EXTRAS: Final = (
    Extra("masks", "grammars and audit", ("llguidance",)),
    Extra(
        "local",
        "models on this machine, constrained decoding",
        _LOCAL,
    ),
    Extra("openai", "models behind servers: vLLM, Ollama, any OpenAI-compatible", ("openai", "tenacity")),
    Extra("providers", "models of hosted providers", ("genai-prices", "pydantic-ai-slim", "tenacity")),
    Extra("pipeline", "Parquet and DuckDB", ("duckdb", "pyarrow")),
    Extra("databases", "PostgreSQL", ("adbc-driver-manager", "adbc-driver-postgresql", "pyarrow")),
    Extra("stores", "files in S3, GCS and Azure", ("obstore", "pyarrow")),
    Extra("yaml", "documents in YAML", ("pyyaml",)),
    Extra("finetuning", "training, with all of local", (*_LOCAL, "peft", "trl")),
    Extra("ray", "runs on a cluster", ("pandas", "pyarrow", "ray")),
    Extra("telemetry", "spans of OpenTelemetry", ("opentelemetry-api",)),
    Extra(
        "bench",
        "figures, and the peers of the benchmarks",
        (
            "baml-py", "check-jsonschema", "fast_json_repair", "instructor", "json_repair", "jsonref", "jsonschema",
            "matplotlib", "repairjson", "xgrammar",
        ),
    ),
)  # fmt: skip


def extra_for(model: str) -> Extra | None:
    """The extra that a model needs, by the model's name; None if it needs none."""
    from structout.models.ledger import is_batched
    from structout.models.openai.kinds import KINDS
    from structout.models.providers.name import is_hosted

    kind = model.partition(":")[0]
    name = "local" if model == "embedded" or kind in ("hf", "path") else "openai" if kind in KINDS else ""
    if is_batched(model) or is_hosted(model):
        name = "providers"
    return next((one for one in EXTRAS if one.name == name), None)


def _is_installed(package: str) -> bool:
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True


def known_keys() -> dict[str, bool]:
    """Whether each variable that may hold a key is set, by its name."""
    return {name: bool(os.environ.get(name)) for name in _KEYS}


def system() -> str:
    """Python and the operating system, in a few words."""
    return f"Python {platform.python_version()}, {platform.system()} {platform.machine()}"


def device() -> str:
    """The processor and the graphics cards, in a few words. PyTorch is not imported: this would take seconds."""
    cores = f"{os.cpu_count() or 1} CPU cores"
    found = _cards()
    return f"{cores}, {', '.join(found)}" if found else f"{cores}, no GPU found"


def _cards() -> list[str]:
    """The cards that NVIDIA's or AMD's driver names, and Apple's."""
    if platform.system() == "Darwin" and platform.machine() == "arm64":
        return ["an Apple GPU (mps)"]
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return ["an AMD GPU"] if os.path.exists("/dev/kfd") else []
    command = [tool, "--query-gpu=name,memory.total", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", timeout=_PATIENCE)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [one.strip() for one in done.stdout.splitlines()[:16] if one.strip()] if done.returncode == 0 else []
