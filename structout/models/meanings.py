"""What a server's explanation is about, whatever its status: the account, the content of one prompt, or an answer."""

import re
from typing import Final

_UNPAID: Final = re.compile(
    r"insufficient[_ ](?:user[_ ])?(?:quota|balance|credits?)|exceeded_current_quota|payment required|out of credits"
    r"|credit balance|key limit exceeded|billing_hard_limit",
    re.IGNORECASE,
)
_UNPAID_STATUSES: Final = (0, 400, 403, 429)  # 0: an error without a status
_OF_CONTENT: Final = re.compile(
    r"moderation|flagged|content.?(?:filter|policy)|safety|the (?:server|provider)'s filter stopped it", re.IGNORECASE
)
_OF_OUTPUT: Final = re.compile(
    r"failed_generation|validate_failed|adjust your prompt|fail(?:ed|ure) to (?:parse|decode) (?:the )?(?:\w+ )?"
    r"(?:response|output|answer|completion)\b(?!.?format)|generated (?:json(?! schema)|output|text|response|answer)\b"
    r"|(?<!schema )(?:does|did|do)(?: not|n't) (?:match|conform to|comply with|adhere to|satisfy|validate against)"
    r" (?:\w+ ){0,3}schema\b(?! (?:spec|draft|standard))",
    re.IGNORECASE,
)
_QUOTED: Final = re.compile(r"(?<!\w)([\"'`])((?:(?!\1(?!\w)).)*)\1(?!\w)", re.DOTALL)


def is_unpaid(status: int, said: str) -> bool:
    """Whether an error means that the account has no money or no quota left."""
    return status == 402 or (status in _UNPAID_STATUSES and _UNPAID.search(unquoted(said)) is not None)


def is_of_content(said: str) -> bool:
    """Whether a refusal is about the content of a prompt, so that another prompt may be answered."""
    return _OF_CONTENT.search(said) is not None


def is_of_output(said: str) -> bool:
    """Whether a refusal is about what the model wrote under a schema, and not about the schema."""
    return _OF_OUTPUT.search(said) is not None


def unquoted(said: str) -> str:
    """An explanation without quotations of several words, which may be of a record."""
    return _QUOTED.sub(lambda found: "" if " " in found[2] else found[0], said)
