"""`structout audit`: what a mask enforces."""

import json
from pathlib import Path

from tests.bolt import BOLT
from tests.conftest import Shell, needs


@needs("llguidance")
def test_audit_says_what_the_mask_enforces(shell: Shell) -> None:
    done = shell("audit", BOLT)
    assert (done.returncode, "exact" in done.stdout) == (0, True)
    as_json = json.loads(shell("audit", "schemas/parts", "--json").stdout)
    assert as_json["level"] == "exact"
    assert shell("audit", BOLT, "--model", "path:/no/such/folder").returncode == 2


def test_audit_for_a_provider_says_what_it_takes(shell: Shell) -> None:
    done = shell("audit", BOLT, "--for", "openai")
    assert done.returncode == 0
    assert "passes after a rewrite" in done.stdout
    as_json = json.loads(shell("audit", BOLT, "--for", "openai", "--json").stdout)
    assert (as_json["provider"], as_json["passes"]) == ("openai", False)
    assert as_json["rewrite"]["schema"]["required"] == ["kind", "size_mm", "note"]
    assert {finding["keyword"] for finding in as_json["findings"]} == {"required", "default"}
    assert all(finding["source"] and finding["read"] for finding in as_json["findings"])


def test_audit_for_a_provider_fails_if_no_rewrite_is_known(shell: Shell, tmp_path: Path) -> None:
    node = {"type": "object", "properties": {"next": {"$ref": "#"}}, "additionalProperties": False}
    (tmp_path / "node.json").write_text(json.dumps(node))
    done = shell("audit", str(tmp_path / "node.json"), "--for", "anthropic")
    assert (done.returncode, "no rewrite is known" in done.stdout) == (1, True)
    assert shell("audit", str(tmp_path / "node.json"), "--for", "openai").returncode == 0


def test_audit_for_an_unknown_provider_names_the_known_ones(shell: Shell) -> None:
    done = shell("audit", BOLT, "--for", "antropic")
    assert done.returncode == 2
    assert "did you mean anthropic?" in done.stderr
    assert shell("audit", BOLT, "--for", "openai", "--model", "embedded").returncode == 2


def test_audit_for_a_provider_escapes_names(shell: Shell, tmp_path: Path) -> None:
    schema = {"title": "a\x1b[31m", "type": "object", "properties": {"\x1b[2J::error::": {"type": "string"}}}
    (tmp_path / "hostile.json").write_text(json.dumps(schema))
    for more in ([], ["--json"]):
        done = shell("audit", str(tmp_path / "hostile.json"), "--for", "openai", *more)
        assert done.returncode == 0
        assert "\x1b" not in done.stdout
