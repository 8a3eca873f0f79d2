"""Readers for dates and times as people write them."""

import datetime
import re
from typing import Final

from structout.parsing.fit.calendars import in_digits, months

_WEEKDAY: Final = re.compile(r"(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?\.?,?\s+", re.IGNORECASE)
_YEAR_FIRST: Final = re.compile(r"([0-9]{4})[-/. ]([0-9]{1,2})[-/. ]([0-9]{1,2})")
_YEAR_LAST: Final = re.compile(r"([0-9]{1,2})([-/. ])([0-9]{1,2})\2([0-9]{4})")
_COMPACT: Final = re.compile(r"((?:19|20)[0-9]{2})([0-9]{2})([0-9]{2})")
# A name of a month has one word, or two in Arabic.
_NAME: Final = r"([^\d\s.,/()'-]{2,14}(?: [^\d\s.,/()'-]{4,6})?)"
_DAY_MONTH: Final = re.compile(
    rf"([0-9]{{1,2}})(?:st|nd|rd|th|er)?\.?[ -](?:(?:of|de) )?{_NAME}\.?,?[ -](?:de )?([0-9]{{4}})(?: (?:r\.|م))?",
    re.IGNORECASE,
)
_MONTH_DAY: Final = re.compile(rf"{_NAME}\.? ([0-9]{{1,2}})(?:st|nd|rd|th)?,? ([0-9]{{4}})", re.IGNORECASE)
_ROMAN_MONTH: Final = re.compile(r"([0-9]{1,2})[. -]([IVX]{1,4})[. -]([0-9]{4})(?: r\.)?")
_TIME: Final = re.compile(
    r"([0-9]{1,2})(?::([0-9]{2}))?(?::([0-9]{2})(?:[.,]([0-9]{1,9}))?)?\s*([ap])?(?:\.?m\.?)?\s*"
    r"(z|utc|gmt|[+-][0-9]{2}:?[0-9]{2})?",
    re.IGNORECASE,
)
_JOIN: Final = re.compile(r"(?<=[0-9])(?:[T_]|,?\s+(?:at\s+)?)(?=[0-9]{1,2}(?::[0-9]{2}|\s*[ap]\.?m))", re.IGNORECASE)
_LONGEST: Final = 60


def read_date(text: str) -> list[str]:
    """The dates (YYYY-MM-DD) that a text can mean: two for `05/03/2024`, one for `25/03/2024`."""
    text = in_digits(text.strip()[:_LONGEST])
    weekday = _WEEKDAY.match(text)
    if weekday:
        short = weekday.group()[:3].lower()
        dates = read_date(text[weekday.end() :])
        return [date for date in dates if datetime.date.fromisoformat(date).strftime("%a").lower() == short]
    for pattern in (_YEAR_FIRST, _COMPACT):
        found = pattern.fullmatch(text)
        if found:
            return _dates([(found.group(1), found.group(2), found.group(3))])
    found = _YEAR_LAST.fullmatch(text)
    if found:
        one, _, two, year = found.groups()
        return _dates([(year, one, two), (year, two, one)])
    for pattern, day, name in ((_ROMAN_MONTH, 1, 2), (_DAY_MONTH, 1, 2), (_MONTH_DAY, 2, 1)):
        found = pattern.fullmatch(text)
        if found:
            return _dates([(found[3], str(number), found[day]) for number in months(found[name])])
    return []


def _dates(readings: list[tuple[str, str, str]]) -> list[str]:
    found = []
    for year, month, day in readings:
        try:
            date = datetime.date(int(year), int(month), int(day)).isoformat()
        except ValueError:
            continue
        if date not in found:
            found.append(date)
    return found


def read_time(text: str) -> tuple[str, str] | None:
    """The time (HH:MM:SS with fraction) and the offset, "" if missing, that a text means; None for other texts."""
    found = _TIME.fullmatch(in_digits(text.strip()[:_LONGEST]))
    if not found:
        return None
    hour, minute, second, fraction, half, offset = found.groups()
    if minute is None and half is None:
        return None
    hours = int(hour)
    if half:
        if not 1 <= hours <= 12:
            return None
        hours = hours % 12 + (12 if half.lower() == "p" else 0)
    if hours > 23 or int(minute or 0) > 59 or int(second or 0) > 59:
        return None
    time = f"{hours:02}:{minute or '00'}:{second or '00'}" + (f".{fraction}" if fraction else "")
    if offset and offset[0] in "+-":
        offset = offset if ":" in offset else f"{offset[:3]}:{offset[3:]}"
    elif offset:
        offset = "Z"
    return time, offset or ""


def read_date_time(text: str) -> tuple[list[str], str, str] | None:
    """The possible dates, the time and the offset of a text; the time is "" for a date alone. None for other texts."""
    text = in_digits(text.strip()[:_LONGEST])
    joint = _JOIN.search(text)
    if not joint:
        dates = read_date(text)
        return (dates, "", "") if dates else None
    dates, time = read_date(text[: joint.start()]), read_time(text[joint.end() :])
    return (dates, *time) if dates and time else None
