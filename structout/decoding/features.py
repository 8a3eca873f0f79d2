"""Which of the engine's ways to save work are on."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Features:
    """What the engine does to be fast; each can be left out, to measure what it brings.

    None of it changes an answer, but for ties: passes of other shapes round otherwise, by about 1e-5, so tokens that
    are closer than that may change places. And without `force` a model may spell what is forced with other tokens.

    `share` computes what prompts begin with once; `force` reads tokens that the grammar forces in the pass that they
    ride on; `lazy` computes a mask only if the free choice is refused; `draft` has guesses checked in the same pass;
    `score` also computes the log-probabilities of forced tokens, which else count as certain (0).
    """

    share: bool = True
    force: bool = True
    lazy: bool = True
    draft: bool = True
    score: bool = True
