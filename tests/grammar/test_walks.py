"""Random walks over random schemas, with the real vocabulary: the mask is never empty before a document may end."""

import random
from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from structout.errors import SchemaError
from structout.grammar import Vocabulary, compile  # noqa: A004
from structout.schema import Schema
from tests.grammar.random_schemas import SCHEMAS

_STEPS = 48


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(SCHEMAS, st.integers(0, 10**6), st.sampled_from([None, 0, 4, 40]))
def test_the_mask_is_never_empty_before_a_document_may_end(
    vocabulary: Vocabulary, source: Any, seed: int, spare: int | None
) -> None:
    try:
        schema = Schema.of(source)
        grammar = compile(schema)
    except SchemaError:
        assume(False)
    shortest = grammar.shortest(vocabulary)
    assume(shortest is not None or spare is None)
    limit = None if spare is None else 2 * len(shortest or ()) + spare
    matcher, rng, written = grammar.matcher(vocabulary, limit), random.Random(seed), list[int]()
    while not matcher.must_stop and len(written) < (_STEPS if limit is None else limit):
        mask = matcher.mask()
        assert mask.any(), f"stuck after {vocabulary.decode(written)!r}: {matcher.reason}"
        token = rng.choice(mask.nonzero()[:, 0].tolist())
        assert vocabulary.is_end(token) or vocabulary.pieces[token], "a control token"
        taken = matcher.try_advance([token])
        if taken and vocabulary.is_end(token):
            break
        written += [token] * taken
    text = vocabulary.decode(written)
    if limit is not None:
        assert matcher.may_stop, text
    unenforced = [gap for gap in grammar.gaps if not gap.narrower]
    if matcher.may_stop and grammar.level == "exact" and not unenforced:
        kinds = {issue.kind for issue in schema.check_text(text).issues}
        # Without a budget the mask is all that there is, and it remembers no keys and weighs no number.
        assert kinds <= (set() if limit is not None else {"duplicate_key", "non_finite"}), text
