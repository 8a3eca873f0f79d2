"""Writes the files of a version: `python tests/compatibility/make.py FOLDER`, with that version on PYTHONPATH.

FOLDER is a new folder. The commands run in it, so that no file names a path of this machine.
"""

import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

BOLT = {
    "title": "Bolt",
    "type": "object",
    "properties": {
        "kind": {"enum": ["hex", "flange"]},
        "size_mm": {"type": "number", "minimum": 1},
        "note": {"type": ["string", "null"], "maxLength": 20},
    },
    "required": ["kind", "size_mm"],
    "additionalProperties": False,
}
# M1 is valid at once, M2 after it was repaired, M3 when asked again, M4 never. On M5 the model fails, M6 is not asked.
ANSWERS = {
    "M1": '{"kind": "hex", "size_mm": 1}',
    "M2": "Here it is: {'kind': 'flange', 'size_mm': 2,}",
    "M3": ["no", '{"kind": "hex", "size_mm": 3, "note": "coarse"}'],
    "M4": '{"kind": "round", "size_mm": 4}',
}
TEXTS = ["M1 hex bolt", "M2 flange bolt", "M3 hex, coarse", "M4 carriage bolt", "M5 hex bolt", "M6 hex bolt"]
LABELS = [(text, {"kind": "hex", "size_mm": number}) for number, text in enumerate(TEXTS[:4], 1)]
MODEL = "--model scripted:answers.json"
STRATEGY = '--strategy "Reask(Repair(Prompted()))"'
COMMANDS = [
    f"structout run --schema schema.json --input rows.jsonl --key id --output out.jsonl {MODEL} {STRATEGY}"
    " --limit 5 --chunk 1",
    f"structout recommend records.jsonl --schema schema.json {MODEL} --share-out --log bench.jsonl"
    ' --strategy "Reask(Repair(Prompted()))" --target "compliance>=0.1" --compliance-only',
    f"structout bench records.jsonl --schema schema.json {MODEL} --split all --log bench.jsonl"
    ' --strategy "Prompted()" --strategy "Repair(Prompted())" --strategy "Reask(Repair(Prompted()))"',
    "structout bench --rescore bench.jsonl --json",
    "structout finetune train.jsonl --schema schema.json --model path:base --out adapter"
    " --rank 1 --passes 1 --batch 2 --held-out 0",
]


def main(folder: Path) -> None:
    folder.mkdir(parents=True)
    rows = [{"id": f"k{number}", "text": text} for number, text in enumerate(TEXTS, 1)]
    labelled = [{"text": text, "expected": expected, "split": "test"} for text, expected in LABELS]
    (folder / "schema.json").write_text(json.dumps(BOLT, indent=1) + "\n")
    (folder / "answers.json").write_text(json.dumps(ANSWERS, indent=1) + "\n")
    for name, lines in (
        ("rows", rows),
        ("records", labelled),
        ("train", [one | {"split": "train"} for one in labelled[:2]]),
    ):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines))
    save(folder / "base")
    for command in COMMANDS:
        words = [sys.executable, "-m", *shlex.split(command)]
        done = subprocess.run(words, cwd=folder, stdout=subprocess.PIPE, text=True, check=False)
        print(done.returncode, command)
        if "--rescore" in words:
            (folder / "figures.json").write_text(done.stdout)
    shutil.rmtree(folder / "base")  # large, and made again by whoever needs it


def save(folder: Path) -> None:
    """Write a model of one layer, with the embedded model's tokenizer. No random number is in its weights: they are the
    same on every machine.
    """
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM
    from transformers.utils import logging

    from structout.models.embedded import embedded_folder

    logging.disable_progress_bar()
    tokenizer = AutoTokenizer.from_pretrained(embedded_folder())
    shape = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        eos_token_id=tokenizer.eos_token_id,
    )
    network = LlamaForCausalLM(shape)
    with torch.no_grad():
        for name, weights in sorted(network.named_parameters()):
            if weights.dim() > 1:
                steps = torch.arange(weights.numel()) * 37 + len(name)
                weights.copy_(((steps % 101 - 50) / 1024).view_as(weights))  # exact: a whole number by a power of 2
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
