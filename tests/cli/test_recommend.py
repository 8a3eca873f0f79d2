"""`structout recommend` and `structout certify`: a strategy that is shown to do."""

import json
from pathlib import Path

from tests.conftest import BOLT, Shell


def test_recommend_and_certify_write_a_strategy(
    bolts: tuple[Path, str, list[str]], tmp_path: Path, shell: Shell
) -> None:
    data, model, options = bolts
    (tmp_path / "model.json").write_text((tmp_path / "good.json").read_text())
    words = ["recommend", str(data), "--model", model, *options, "--output", str(tmp_path / "choice.strategy")]
    done = shell(*words, "--target", "compliance>=0.95", "--target", "record_accuracy>=0.9", "--for", "80000")
    assert done.returncode == 0, done.stderr
    assert "met, with 95 % confidence, by Prompted()" in done.stdout
    assert "80,000 records would take" in done.stdout
    told = json.loads(shell(*words, "--target", "compliance>=0.95", "--for", "80000", "--json").stdout)
    assert told["for"] == {"records": 80000, "cost": 80000 * told["chosen"]["cost"]}
    choice = str(tmp_path / "choice.strategy")
    assert f"# Measured with --examples {data} --max-tokens 256.\n" in Path(choice).read_text()
    used = shell("extract", "--schema", BOLT, "--model", model, "--strategy", choice, stdin="bolt\n")
    assert (used.returncode, json.loads(used.stdout)["kind"]) == (0, "hex")
    none = shell(*words, "--target", "compliance>=0.999", "--json")
    assert (none.returncode, json.loads(none.stdout)["chosen"]) == (1, None)
    assert "would meet the targets with 2,995 records" in shell(*words, "--target", "compliance>=0.999").stdout
    unsure = shell("certify", str(data), "--model", model, *options, "--output", str(tmp_path / "sure.strategy"))
    assert (unsure.returncode, "no threshold meets this target" in unsure.stdout) == (1, True)
    (tmp_path / "own.py").write_text("def always(outcome):\n    return 1.0\n")
    own = shell(
        "certify", str(data), "--model", model, *options, "--confidence", f"{tmp_path / 'own.py'}:always", "--json"
    )
    assert (own.returncode, json.loads(own.stdout)["threshold"]) == (0, 1.0)
