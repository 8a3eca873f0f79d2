"""The strategies that `bench` and `recommend` measure where none is named."""

from pathlib import Path

# The last two keep wrong values out: by a search in the text, without a further call, and by two or three answers.
DEFAULTS = [
    "Prompted()",
    "Prompted(examples=3)",
    "Repair(Prompted(examples=3))",
    "Reask(Repair(Prompted(examples=3)))",
    "Constrained()",
    "Constrained(examples=3)",
    "Cascade(Repair(Prompted(examples=3)), Constrained(examples=3))",
    'Verify(Repair(Constrained(examples=3)), Grounded(fields="examples"))',
    "Vote(Repair(Constrained(examples=3)), n=3)",
]


def tuned(target: str) -> dict[str, str]:
    """The strategy that uses the fine-tuned model in the data set's folder `tuned`, if the folder holds one."""
    folder = Path(target) / "tuned"
    return {"Fine-tuned": f"On({f'path:{folder}'!r}, Constrained())"} if (folder / "tuning.json").is_file() else {}
