"""`structout audit`: what a mask enforces."""

import json

from tests.conftest import BOLT, Shell, needs


@needs("llguidance")
def test_audit_says_what_the_mask_enforces(shell: Shell) -> None:
    done = shell("audit", BOLT)
    assert (done.returncode, "exact" in done.stdout) == (0, True)
    as_json = json.loads(shell("audit", "schemas/parts", "--json").stdout)
    assert as_json["level"] == "exact"
    assert shell("audit", BOLT, "--model", "path:/no/such/folder").returncode == 2
