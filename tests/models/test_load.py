"""Names of models."""

import pytest

from structout.errors import NoModelError
from structout.models.load import check_name
from structout.models.openai.kinds import KINDS


def test_an_unknown_name_lists_every_kind_of_server() -> None:
    with pytest.raises(NoModelError) as caught:
        check_name("acme-8b")
    assert all(f"{kind}:NAME" in caught.value.hint for kind in KINDS)
