"""Regular expressions for string formats that the engine gets wrong or does not support."""

from collections.abc import Sequence

_YEAR = "(?:[0-9]{3}[1-9]|[0-9]{2}[1-9]0|[0-9][1-9]00|[1-9]000)"  # 0001 to 9999, the years of Python's dates
_LEAP = "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)"
_DATE = (
    f"(?:{_YEAR}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    f"|02-(?:0[1-9]|1[0-9]|2[0-8]))|{_LEAP}-02-29)"
)
_CLOCK = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,6})?"
_OFFSET = r"(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
_LABEL = "[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
# RFC 5890 reserves labels with hyphens in the third and fourth place, so two hyphens never follow each other.
_HOST_LABEL = "[a-zA-Z0-9]{1,20}(?:-[a-zA-Z0-9]{1,20}){0,2}"
_HOST = rf"{_HOST_LABEL}(?:\.{_HOST_LABEL}){{0,3}}"
_ATOM = r"[a-zA-Z0-9!#$%&'*+/=?^_`{|}~-]{1,20}"
_EMAIL = rf"{_ATOM}(?:\.{_ATOM}){{0,2}}@{_HOST_LABEL}(?:\.{_HOST_LABEL}){{0,3}}\.[a-zA-Z]{{2,12}}"
_BYTE = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_PATH = "(?:[a-zA-Z0-9._~!$&'()*+,;=:@-]|%[0-9a-fA-F]{2})"
_QUERY = "(?:[a-zA-Z0-9._~!$&'()*+,;=:@/?-]|%[0-9a-fA-F]{2})*"
_REST = rf"(?:/{_PATH}*)*(?:\?{_QUERY})?(?:#{_QUERY})?"
_WEB = rf"https?://{_HOST}(?::[1-9][0-9]{{0,3}})?{_REST}"
_URI = rf"(?:[a-zA-Z][a-zA-Z0-9+.-]*://{_HOST}(?::[1-9][0-9]{{0,3}})?{_REST}|(?:mailto|urn|tel|data):{_PATH}+)"
_REFERENCE = rf"(?:{_URI}|/?(?:[a-zA-Z0-9._~!$&'()*+,;=@-]|%[0-9a-fA-F]{{2}})*{_REST})"
_POINTER = "(?:/(?:[^/~]|~[01])*)*"
_GROUPS = "[0-9a-fA-F]{1,4}"
_IPV6 = "|".join(
    [f"(?:{_GROUPS}:){{7}}{_GROUPS}"]
    + [
        f"(?:{_GROUPS}(?::{_GROUPS}){{0,{n - 1}}})?::(?:{_GROUPS}(?::{_GROUPS}){{0,{6 - n}}})?" if n else
        f"::(?:{_GROUPS}(?::{_GROUPS}){{0,6}})?"
        for n in range(7)
    ]
)  # fmt: skip
_N = "[0-9]{1,6}"
_DURATION = (
    f"P(?:{_N}W|(?:{_N}Y(?:{_N}M(?:{_N}D)?)?|{_N}M(?:{_N}D)?|{_N}D)(?:T(?:{_N}H(?:{_N}M(?:{_N}S)?)?|{_N}M(?:{_N}S)?|{_N}S))?"
    f"|T(?:{_N}H(?:{_N}M(?:{_N}S)?)?|{_N}M(?:{_N}S)?|{_N}S))"
)
# The durations that Pydantic writes, with fractions of a second, within the range of a timedelta.
_SPAN = (
    rf"-?P(?:{_N}D)?(?:T(?:{_N}H(?:{_N}M)?(?:{_N}(?:\.[0-9]{{1,6}})?S)?|{_N}M(?:{_N}(?:\.[0-9]{{1,6}})?S)?"
    rf"|{_N}(?:\.[0-9]{{1,6}})?S))"
    rf"|-?P{_N}[DW]"
)
_SCALAR = '(?:null|true|false|-?(?:0|[1-9][0-9]{0,14})(?:\\.[0-9]{1,6})?|"[a-zA-Z0-9 ._-]*")'
_MEMBER = f'"[a-zA-Z0-9_]+": {_SCALAR}'


def _networks() -> str:
    """IPv4 networks: an address with a prefix length, and zeros behind the prefix."""
    found = ["0\\.0\\.0\\.0/0"]
    for full in range(4):
        for bits in range(1, 9):
            octets = "|".join(map(str, range(0, 256, 1 << (8 - bits)))) if bits < 8 else _BYTE
            rest = "\\.0" * (3 - full)
            found.append(rf"(?:{_BYTE}\.){{{full}}}(?:{octets}){rest}/{8 * full + bits}")
    return f"(?:{'|'.join(found)})"


_NETWORK_4 = _networks()
_NETWORK_6 = "|".join(
    [f"(?:{_IPV6})/128", "::/0", *(f"{_GROUPS}(?::{_GROUPS}){{{n - 1}}}::/{16 * n}" for n in range(1, 8))]
)
_PREFIX_4 = "/(?:3[0-2]|[12]?[0-9])"
_PREFIX_6 = "/(?:12[0-8]|1[01][0-9]|[1-9]?[0-9])"

FORMATS: dict[str, str] = {
    "date": _DATE,
    "time": _CLOCK + _OFFSET,
    "date-time": f"{_DATE}T{_CLOCK}{_OFFSET}",
    "duration": _DURATION,
    "email": _EMAIL,
    "idn-email": _EMAIL,
    "hostname": _HOST,
    "idn-hostname": _HOST,
    "ipv4": rf"{_BYTE}(?:\.{_BYTE}){{3}}",
    "ipv6": f"(?:{_IPV6})",
    "uri": _URI,
    "iri": _URI,
    "uri-reference": _REFERENCE,
    "iri-reference": _REFERENCE,
    "uri-template": rf"{_REFERENCE}(?:\{{[a-zA-Z0-9_]+\}}{_REFERENCE})?",
    "uuid": "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
    "json-pointer": _POINTER,
    "relative-json-pointer": f"(?:0|[1-9][0-9]{{0,8}})(?:#|{_POINTER})",
}
# Formats that only Pydantic writes, and standard formats as Pydantic's types read them.
PYDANTIC: dict[str, str] = FORMATS | {
    "time": f"{_CLOCK}{_OFFSET}?",
    "date-time": f"{_DATE}T{_CLOCK}{_OFFSET}?",
    "duration": _SPAN,
    "uuid1": "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-1[0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}",
    "uuid3": "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-3[0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}",
    "uuid4": "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-4[0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}",
    "uuid5": "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-5[0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}",
    "ipvanyaddress": rf"(?:{_BYTE}(?:\.{_BYTE}){{3}}|{_IPV6})",
    "uuid6": "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-6[0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}",
    "uuid7": "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-7[0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}",
    "uuid8": "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-8[0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}",
    "ipv4network": _NETWORK_4,
    "ipv4interface": rf"{_BYTE}(?:\.{_BYTE}){{3}}(?:{_PREFIX_4})?",
    "ipv6network": f"(?:{_NETWORK_6})",
    "ipv6interface": f"(?:{_IPV6})(?:{_PREFIX_6})?",
    "ipvanynetwork": f"(?:{_NETWORK_4}|{_NETWORK_6})",
    "ipvanyinterface": rf"(?:{_BYTE}(?:\.{_BYTE}){{3}}(?:{_PREFIX_4})?|(?:{_IPV6})(?:{_PREFIX_6})?)",
    "uri": _WEB,
    "base64url": "(?:[A-Za-z0-9_-]{4})*(?:[A-Za-z0-9_-]{2}==|[A-Za-z0-9_-]{3}=)?",
    "base64": "(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?",
    "json-string": rf"(?:{_SCALAR}|\[(?:{_SCALAR}(?:, {_SCALAR})*)?\]|\{{(?:{_MEMBER}(?:, {_MEMBER})*)?\}})",
    "fraction": "-?(?:0|[1-9][0-9]{0,8})(?:/[1-9][0-9]{0,8})?",
    "path": r"[^\x00]*",
    "file-path": r"[^\x00]*",
    "directory-path": r"[^\x00]*",
    "binary": r"[\s\S]*",
    "password": r"[\s\S]*",
    "multi-host-uri": rf"[a-z]+://{_HOST}(?::[1-9][0-9]{{0,3}})?(?:/[a-zA-Z0-9_]+)?",
    "color": "#(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6})",
}


def address(schemes: Sequence[str], *, several_hosts: bool = False) -> str:
    """A regular expression for URLs with one of these schemes."""
    names = "|".join(map(literal, schemes))
    if list(schemes) == ["file"]:
        return rf"^file://(?:{_HOST})?(?:/{_PATH}*)+$"
    user = "(?:[a-zA-Z0-9._~-]{1,40}(?::[a-zA-Z0-9._~-]{1,40})?@)?"
    rest = "(?:/[a-zA-Z0-9_.-]*)?" if several_hosts else _REST
    return rf"^(?:{names})://{user}{_HOST}(?::[1-9][0-9]{{0,3}})?{rest}$"


def times_between(least: str, most: str) -> list[str]:
    """Regular expressions for dates or times in ISO 8601 from `least` to `most`; a bound "" admits anything.

    Both are texts of the same length. Behind that length a text may hold an offset, and a fraction of a second unless
    it begins with `most`.
    """
    found = []
    for bound, upwards in ((least, True), (most, False)):
        if not bound:
            continue
        ways = [f"{bound}.*" if upwards else f"{bound}(?:[^0-9.].*)?"]
        for place, sign in enumerate(bound):
            if not sign.isdigit() or sign == ("9" if upwards else "0"):
                continue
            digits = f"{int(sign) + 1}-9" if upwards else f"0-{int(sign) - 1}"
            ways.append(f"{bound[:place]}[{digits}].*")
        found.append(f"^(?:{'|'.join(ways)})$")
    return found


def durations_between(least: int, most: int) -> str:
    """A regular expression for durations in ISO 8601 from `least` to `most` seconds, which are not below 0.

    A duration is written in one unit: days, hours, minutes or seconds.
    """
    ways = []
    for unit, seconds in (("D", 86_400), ("H", 3_600), ("M", 60), ("S", 1)):
        first, last = -(-least // seconds), most // seconds
        if first <= last:
            ways.append(f"P{'' if unit == 'D' else 'T'}(?:{_whole_between(first, last)}){unit}")
    return f"^(?:{'|'.join(ways)})$"


def _whole_between(least: int, most: int) -> str:
    """A regular expression for whole numbers from `least` to `most`, which are not below 0."""
    ways = []
    for length in range(len(str(least)), len(str(most)) + 1):
        first = str(max(least, 10 ** (length - 1) if length > 1 else 0))
        last = str(min(most, 10**length - 1))
        ways += _same_length(first, last)
    return "|".join(ways)


def _same_length(first: str, last: str) -> list[str]:
    if not first:
        return [""]
    if first[0] == last[0]:
        return [first[0] + rest for rest in _same_length(first[1:], last[1:])]
    rest = len(first) - 1
    found = [first[0] + way for way in _same_length(first[1:], "9" * rest)]
    if int(last[0]) - int(first[0]) > 1:
        found.append(f"[{int(first[0]) + 1}-{int(last[0]) - 1}]" + f"[0-9]{{{rest}}}" * bool(rest))
    return found + [last[0] + way for way in _same_length("0" * rest, last[1:])]


def unlike(words: Sequence[str]) -> str:
    """A regular expression for every text except `words`, without look-around."""
    alternatives = []
    for prefix in sorted({word[:n] for word in words for n in range(len(word) + 1)}):
        following = sorted({word[len(prefix)] for word in words if word.startswith(prefix) and word != prefix})
        if prefix not in words:
            alternatives.append(literal(prefix))
        other = f"[^{''.join(_in_class(c) for c in following)}]" if following else r"[\s\S]"
        alternatives.append(literal(prefix) + other + r"[\s\S]*")
    return f"^(?:{'|'.join(alternatives)})$"


def literal(text: str) -> str:
    """A regular expression that matches exactly `text`."""
    return "".join(c if c.isalnum() or c in " _" or ord(c) > 127 else f"\\x{ord(c):02x}" for c in text)


def _in_class(character: str) -> str:
    return literal(character)
