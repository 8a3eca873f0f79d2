"""Names of months, eras and numerals of many languages, for reading dates."""

import re
from typing import Final

from structout.parsing.fit.literals import plain_digits
from structout.words import plain_word

# Each line holds the names of January to December in some languages, with the abbreviations that mean one month only.
_NAMES: Final = (
    ("january jan", "february feb", "march mar", "april apr", "may", "june jun", "july jul", "august aug",
     "september sep sept", "october oct", "november nov", "december dec"),
    ("januar jänner", "februar feber", "märz mrz", "april", "mai", "juni", "juli", "august", "september",
     "oktober okt", "november", "dezember dez"),
    ("janvier janv", "février févr fév", "mars", "avril avr", "mai", "juin", "juillet juil", "août",
     "septembre", "octobre", "novembre", "décembre déc"),
    ("styczeń stycznia sty", "luty lutego lut", "marzec marca", "kwiecień kwietnia kwi", "maj maja",
     "czerwiec czerwca cze", "lipiec lipca", "sierpień sierpnia sie", "wrzesień września wrz",
     "październik października paź", "listopad listopada", "grudzień grudnia gru"),
    ("ocak oca", "şubat şub", "mart", "nisan nis", "mayıs", "haziran haz", "temmuz tem", "ağustos ağu", "eylül eyl",
     "ekim eki", "kasım kas", "aralık ara"),
    ("enero gennaio janeiro januari", "febrero febbraio fevereiro februari", "marzo março maart", "abril aprile",
     "mayo maggio maio mei", "junio giugno junho", "julio luglio julho", "agosto augustus",
     "septiembre setiembre settembre setembro", "octubre ottobre outubro", "noviembre novembre novembro",
     "diciembre dicembre dezembro"),
    ("يناير جانفي كانون_الثاني", "فبراير فيفري شباط", "مارس آذار", "أبريل إبريل أفريل نيسان", "مايو ماي أيار",
     "يونيو يونية جوان حزيران", "يوليو يولية يوليوز جويلية تموز", "أغسطس أوت غشت آب", "سبتمبر شتنبر أيلول",
     "أكتوبر تشرين_الأول", "نوفمبر نونبر تشرين_الثاني", "ديسمبر دجنبر كانون_الأول"),
    ("जनवरी", "फ़रवरी फरवरी", "मार्च", "अप्रैल", "मई", "जून", "जुलाई", "अगस्त", "सितंबर सितम्बर", "अक्टूबर अक्तूबर",
     "नवंबर नवम्बर", "दिसंबर दिसम्बर"),
)  # fmt: skip
_MONTHS: Final = {
    plain_word(name.replace("_", " ")): (month,)
    for language in _NAMES
    for month, names in enumerate(language, 1)
    for name in names.split()
} | dict.fromkeys(("listopad", "listopada"), (11, 10))  # November in Polish, October in Croatian
_ROMAN: Final = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII")
# The year before an era's first, and its first and last day.
_ERAS: Final = {
    "令和": (2018, "2019-05-01", "9999-12-31"), "㋿": (2018, "2019-05-01", "9999-12-31"),
    "平成": (1988, "1989-01-08", "2019-04-30"), "㍻": (1988, "1989-01-08", "2019-04-30"),
    "昭和": (1925, "1926-12-25", "1989-01-07"), "㍼": (1925, "1926-12-25", "1989-01-07"),
    "民國": (1911, "1912-01-01", "9999-12-31"), "民国": (1911, "1912-01-01", "9999-12-31"),
}  # fmt: skip
_ERA: Final = re.compile(
    rf"^(?:中[華华])?({'|'.join(_ERAS)})\s*([0-9]{{1,3}}|元)\s*年\s*([0-9]{{1,2}})\s*月\s*([0-9]{{1,2}})\s*[日号號]"
)
_HAN: Final = re.compile(r"^([0-9]{4})\s*[年년]\s*([0-9]{1,2})\s*[月월]\s*([0-9]{1,2})\s*[日일号號]")
_HAN_DIGITS: Final = {sign: digit for digit, signs in enumerate(("〇零", *"一二三四五六七八九")) for sign in signs}
_HAN_NUMERAL: Final = re.compile(r"[〇零一二三四五六七八九十]{1,4}(?=\s*[年月日号號])")


def months(name: str) -> tuple[int, ...]:
    """The months, 1 to 12, that a name can mean in the languages of this module. A Roman month is in capitals."""
    if name in _ROMAN:
        return (_ROMAN.index(name) + 1,)
    return _MONTHS.get(plain_word(name), ())


def in_digits(text: str) -> str:
    """A text with the digits 0 to 9, and with a date of East Asia at its beginning as YYYY-MM-DD.

    A day outside its era stays as it is.
    """
    if text.isascii():
        return text
    text = _HAN_NUMERAL.sub(_numeral, plain_digits(text))
    era = _ERA.match(text)
    if era:
        before, first, last = _ERAS[era[1]]
        day = f"{before + (1 if era[2] == '元' else int(era[2])):04}-{int(era[3]):02}-{int(era[4]):02}"
        return day + text[era.end() :] if first <= day <= last else text
    return _HAN.sub(r"\1-\2-\3", text)


def _numeral(found: re.Match[str]) -> str:
    """A Chinese numeral as digits: the digits of a year one by one, or a number up to 99."""
    tens, ten, ones = found[0].partition("十")
    if not ten:
        return "".join(str(_HAN_DIGITS[sign]) for sign in found[0])
    if len(tens) > 1 or len(ones) > 1 or "十" in ones:
        return found[0]
    return str(10 * _HAN_DIGITS.get(tens, 1) + _HAN_DIGITS.get(ones, 0))
