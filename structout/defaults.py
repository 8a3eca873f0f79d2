"""The default model, the forms of names of models, the default strategy, and the edition of prompts."""

MODEL = "embedded"
MODEL_NAMES = (
    "embedded, hf:NAME, path:FOLDER, openai:NAME@URL, vllm:NAME, ollama:NAME, lmstudio:NAME, llamacpp:NAME, "
    "sglang:NAME (each with @URL if elsewhere), PROVIDER:NAME (as anthropic:NAME), scripted:FILE, py:FILE:NAME"
)
# Constrain the answer where the model can, repair it otherwise, and ask once more if it is still invalid.
STRATEGY = "Reask(Repair(Constrained()))"
# The edition of prompts. Edition 1 is that of structout 0.1: runs and adapters that began with it go on with it.
EDITION = 2
