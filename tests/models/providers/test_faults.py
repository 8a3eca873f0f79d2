"""What an error of a provider means."""

import pytest

from structout.errors import AccountError
from structout.models.providers.faults import UnfitError, classified, refused_setting
from structout.models.retries import RefusalError

pytest.importorskip("pydantic_ai")


def told(status: int, message: str) -> Exception:
    from pydantic_ai.exceptions import ModelHTTPError

    error = ModelHTTPError(status, "m", {"error": {"message": message}})
    return classified(error, "openrouter:m", 10.0, has_answered=True)


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (403, "Key limit exceeded (total limit)", AccountError),
        (400, "Your credit balance is too low", AccountError),
        (403, "no words like these", RefusalError),
        (400, "output_config.format.schema: invalid", UnfitError),
        (400, "The generated JSON does not match the expected schema", RefusalError),
    ],
)
def test_an_error_is_what_its_words_say(status: int, message: str, kind: type[Exception]) -> None:
    assert type(told(status, message)) is kind


def test_a_quoted_record_names_no_setting() -> None:
    setting = {"temperature": 0.0}
    assert refused_setting("temperature: only 1 is allowed for this model", setting) == "temperature"
    assert refused_setting("not allowed: 'set the temperature of the oven'", setting) is None
    assert refused_setting("not allowed by the content policy: temperature", setting) is None
