"""The engine's optimizations, each on or off."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Features:
    """The engine's optimizations; each can be turned off, to measure its effect.

    The optimizations do not change an answer, with two exceptions. Passes of other shapes round differently, by about
    1e-5, so tokens with closer scores may swap places. Without `force` a model may write forced text with other tokens.

    - `share`: compute the common first tokens of prompts once.
    - `force`: add the tokens that the grammar forces to the next pass, without a pass for each.
    - `lazy`: compute a mask only if the grammar rejects the unmasked choice.
    - `draft`: check guessed tokens in the same pass.
    - `score`: compute the log-probabilities of forced tokens, which otherwise count as certain (0).
    """

    share: bool = True
    force: bool = True
    lazy: bool = True
    draft: bool = True
    score: bool = True
