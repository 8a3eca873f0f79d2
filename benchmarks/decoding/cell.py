"""One cell of the decoding benchmark: one system, one batch size, some prompts; run as a process of its own.

Reads a job (JSON) from standard input, writes what came of it (JSON) as the last line of standard output. Systems other
than structout need none of it, so that they run in another environment as well. Only what a caller would pay for each
record is timed: loading, compiling the grammar and a first short answer come before.
"""

import copy
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

Answers = tuple[list[str], list[int], float]  # texts, their lengths in tokens, forward passes (0 if unknown)
System = Callable[[dict[str, Any], list[dict[str, Any]]], Answers]


def main() -> None:
    job = json.load(sys.stdin)
    name, _, variant = job["system"].partition(":")
    run = SYSTEMS[name](job, variant)
    run({**job, "max_tokens": 4}, [job["warm"]])
    wall, cpu = time.perf_counter(), time.process_time()
    texts, lengths, passes = run(job, job["prompts"])
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    print(json.dumps({"cpu": cpu, "wall": wall, "texts": texts, "lengths": lengths, "passes": passes} | EXTRA))


EXTRA: dict[str, Any] = {}


def _loaded(job: dict[str, Any]) -> tuple[Any, Any]:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.set_num_threads(1)
    model = AutoModelForCausalLM.from_pretrained(job["model"], dtype=torch.float32).eval()
    return model, AutoTokenizer.from_pretrained(job["model"]) if job.get("tokenizer", True) else None


def _batched(model: Any, tokenizer: Any, processors: Callable[[], list[Any]], *, prefix: bool = False) -> System:
    """`model.generate` over left-padded batches, with the logits processors of a grammar, if any.

    With `prefix`, what the prompts begin with is computed once, and its keys and values are copied to each batch.
    """
    import torch

    count = {"passes": 0}
    model.register_forward_pre_hook(lambda *_: count.update(passes=count["passes"] + 1))
    pad = tokenizer.pad_token_id or 0

    def run(job: dict[str, Any], prompts: list[dict[str, Any]]) -> Answers:
        texts, lengths = [], []
        before = count["passes"]
        rows = [prompt["tokens"] for prompt in prompts]
        shared = _common(rows) if prefix and len(rows) > 1 else []
        kept = _computed(model, shared) if shared else None
        for at in range(0, len(prompts), job["batch"]):
            batch = [row[len(shared) :] for row in rows[at : at + job["batch"]]]
            width = max(map(len, batch))
            ids = torch.tensor([[*shared, *[pad] * (width - len(row)), *row] for row in batch])
            mask = torch.tensor([[1] * len(shared) + [0] * (width - len(row)) + [1] * len(row) for row in batch])
            more = {}
            if kept is not None:
                cache = copy.deepcopy(kept)
                cache.batch_repeat_interleave(len(batch))
                more["past_key_values"] = cache
            with torch.inference_mode():
                out = model.generate(
                    input_ids=ids,
                    attention_mask=mask,
                    do_sample=False,
                    max_new_tokens=job["max_tokens"],
                    logits_processor=processors(),
                    pad_token_id=pad,
                    **more,
                )
            for row in out[:, ids.shape[1] :].tolist():
                end = next((i for i, token in enumerate(row) if token in job["ends"]), len(row))
                lengths.append(end)
                texts.append(tokenizer.decode(row[:end], skip_special_tokens=True))
        return texts, lengths, count["passes"] - before

    return run


def _common(rows: list[list[int]]) -> list[int]:
    """What all rows begin with."""
    first, last = min(rows), max(rows)
    length = next(i for i, (one, other) in enumerate(zip(first, last, strict=False)) if one != other)
    return first[:length]


def _computed(model: Any, tokens: list[int]) -> Any:
    """The keys and values of a prefix."""
    import torch
    from transformers import DynamicCache

    cache = DynamicCache(config=model.config)
    with torch.inference_mode():
        model(input_ids=torch.tensor([tokens]), past_key_values=cache, logits_to_keep=1)
    return cache


def _generate(job: dict[str, Any], variant: str) -> System:
    model, tokenizer = _loaded(job)
    return _batched(model, tokenizer, list, prefix=variant == "prefix")


def _outlines(job: dict[str, Any], variant: str) -> System:
    import outlines
    from outlines.backends import get_json_schema_logits_processor

    model, tokenizer = _loaded(job)
    wrapped = outlines.from_transformers(model, tokenizer)
    schema = json.dumps(job["schema"])
    processor: Any = get_json_schema_logits_processor(variant, wrapped, schema)

    def fresh() -> list[Any]:
        processor.reset()
        return [processor]

    return _batched(model, tokenizer, fresh)


def _xgrammar(job: dict[str, Any], variant: str) -> System:
    import xgrammar
    import xgrammar.contrib.hf

    model, tokenizer = _loaded(job)
    info = xgrammar.TokenizerInfo.from_huggingface(tokenizer, vocab_size=model.config.vocab_size)
    compiled = xgrammar.GrammarCompiler(info).compile_json_schema(json.dumps(job["schema"]), any_whitespace=False)
    return _batched(model, tokenizer, lambda: [xgrammar.contrib.hf.LogitsProcessor(compiled)])


def _guidance(job: dict[str, Any], variant: str) -> System:
    import guidance
    from transformers import PreTrainedTokenizerFast

    model, _ = _loaded({**job, "tokenizer": False})
    tokenizer = PreTrainedTokenizerFast.from_pretrained(job["model"])  # transformers 4 does not know 5's class
    start = guidance.models.Transformers(model, tokenizer, echo=False)
    count = {"passes": 0}
    model.register_forward_pre_hook(lambda *_: count.update(passes=count["passes"] + 1))

    def run(job: dict[str, Any], prompts: list[dict[str, Any]]) -> Answers:
        texts, before = [], count["passes"]
        for prompt in prompts:
            grammar = guidance.json(name="answer", schema=job["schema"], max_tokens=job["max_tokens"])
            state = start + prompt["text"] + grammar
            texts.append(state["answer"] if "answer" in state else str(state)[len(prompt["text"]) :])
        lengths = [len(tokenizer(text, add_special_tokens=False).input_ids) for text in texts]
        return texts, lengths, count["passes"] - before

    return run


def _llamacpp(job: dict[str, Any], variant: str) -> System:
    """llama.cpp's server in this process, as many parallel sequences as the batch has rows, one thread."""
    from concurrent.futures import ThreadPoolExecutor

    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = job["gguf"]
    params.n_parallel = job["batch"]
    params.n_ctx = job["batch"] * 2048
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.cpuparams.poll = params.cpuparams_batch.poll = 0  # a thread that spins would count as work
    params.kv_unified = False  # one cache for all was measured to cost twice as much
    server = xllamacpp.Server(params)

    def one(job: dict[str, Any], prompt: dict[str, Any]) -> tuple[str, int]:
        request = {"prompt": prompt["tokens"], "n_predict": job["max_tokens"], "temperature": 0, "cache_prompt": True}
        if variant == "grammar":
            request["json_schema"] = job["schema"]
        answer = server.handle_completions(request)
        answer = answer if isinstance(answer, dict) else json.loads(answer)
        if "choices" in answer:
            return answer["choices"][0]["text"], answer["usage"]["completion_tokens"]
        return answer["content"], answer["tokens_predicted"]

    def run(job: dict[str, Any], prompts: list[dict[str, Any]]) -> Answers:
        with ThreadPoolExecutor(job["batch"]) as pool:
            answers = list(pool.map(lambda prompt: one(job, prompt), prompts))
        return [text for text, _ in answers], [length for _, length in answers], 0

    run({**job, "max_tokens": 2}, [job["warm"]] * job["batch"])  # each sequence keeps what its prompts begin with
    return run


def _structout(job: dict[str, Any], variant: str) -> System:
    """structout's engine; the variants are told in `__main__`."""
    from structout import grammar
    from structout.completion import Sampling
    from structout.decoding.engine import Engine
    from structout.decoding.features import Features
    from structout.decoding.loop import generate
    from structout.decoding.request import Request
    from structout.decoding.weights import convert
    from structout.schema import Schema

    model, tokenizer = _loaded(job)
    step = int(variant) if variant.isdigit() else None
    convert(model, "int8" if variant == "int8" else "fp32" if variant == "loop" or step is not None else None)
    on = 4 if step is None else step
    features = Features(share=on > 0, force=on > 1, lazy=on > 2, draft=on > 3, score=variant != "noscore")
    ends = frozenset(job["ends"])
    engine = Engine(model, ends, slots=job["batch"], features=features)
    compiled = grammar.compile(Schema.of(job["schema"]))
    vocabulary = grammar.Vocabulary.of(tokenizer, model.config.vocab_size, sorted(ends))

    def run(job: dict[str, Any], prompts: list[dict[str, Any]]) -> Answers:
        sampling = Sampling(max_tokens=job["max_tokens"])
        requests = [
            Request(
                prompt["tokens"],
                sampling,
                0,
                None if variant == "free" else compiled.matcher(vocabulary, job["max_tokens"]),
            )
            for prompt in prompts
        ]
        before = engine.passes
        if variant == "loop":
            outputs = []
            for at in range(0, len(requests), job["batch"]):
                outputs += generate(model, requests[at : at + job["batch"]], ends, share=True)
        else:
            outputs = engine.generate(requests)
        for name in ("forced", "drafted", "accepted", "reused", "seconds", "model_seconds", "mask_seconds"):
            EXTRA[name] = sum(getattr(output, name) for output in outputs)
        EXTRA["tokens"] = [output.tokens for output in outputs]
        texts = [tokenizer.decode(output.tokens, skip_special_tokens=True) for output in outputs]
        return texts, [len(output.tokens) for output in outputs], engine.passes - before

    return run


SYSTEMS: dict[str, Callable[[dict[str, Any], str], System]] = {
    "generate": _generate,
    "outlines": _outlines,
    "xgrammar": _xgrammar,
    "guidance": _guidance,
    "llamacpp": _llamacpp,
    "structout": _structout,
}

if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
