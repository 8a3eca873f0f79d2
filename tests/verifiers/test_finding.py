import pytest
from hypothesis import given
from hypothesis import strategies as st

from structout.verifiers.finding import SearchedText


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("BRK PAD SET FRT", "BRK PAD"),
        ("10 W 35TH ST", "35th"),
        ("ref. BP 12-34/A", "bp1234a"),
        ("Crème brûlée at noon", "creme brulee"),
        ("due on 3 May 2024, net", "2024-05-03"),
        ("due 03.05.2024", "2024-05-03"),
        ("Volkswagn Golf", "Volkswagen"),
        ("OD 61,5 mm", 61.5),
        ('2 1/4" thick', 2.25),
        ("1,200 pieces", 1200),
        ("pack of 4", 4),
        (".5 in", 0.5),
        ("temp -5 C", -5),
        ("-5", -5),
        ("temp −5 C", -5),
        ("from (-0.5) up", -0.5),
        ("tolerance +0.1/-0.2", -0.2),
        ('-2 1/4" off', -2.25),
        ("loss of -1,200", -1200),
        ("1.5e3 hours", 1500),
        ("1.5E+3 hours", 1500.0),
        ("2e-7 m", 2e-7),
        ("charge -1.6e-19 C", -1.6e-19),
        ("about 1.6492094812283486e-56", 1.6492094812283486e-56),
        ("1,5e3 hours", 1500),
        ("- 5 pieces", 5),  # a dash
        ("-5 pieces", 5),  # perhaps a dash
        ("tracking 12345678901234567", 12345678901234567),
        ("tracking 12345678901234567", float(12345678901234567)),
        ("sizes 6,8,10 mm", 8),
        ("sizes 6.5,8.5,10 mm", 8.5),
        ("2,3 pcs", 3),
        ("2,3 pcs", 2.3),
        ("made 03.05.2024", 2024),
        ("12 500 EUR", 12500),
        ("12\u00a0500 EUR", 12500),
        ("12\u202f500,50 EUR", 12500.5),
        ("12 500 EUR", 12),
        ("OD ５ mm", 5),
        ("2½ in", 2.5),
        ('said "-5"', -5),
        ("$-5", -5),
        ("-$5", -5),
        ("(5)", -5),
        ("(5)", 5),
        ("($12,500.00)", -12500),
        ("at 2024-05-03T10:00:00Z", "2024-05-03"),
        ("at 2024-05-03 10:00", "2024-05-03T10:00:00Z"),
        ("on 3 May 2024 10:00, sharp", "2024-05-03T10:00:00Z"),
        ("Fri, 3 May 2024 at 10:00 pm UTC", "2024-05-03T22:00:00.0+00:00"),
        ("sizes 6,8,10 mm", "8"),
        ("price 12,500", "12500"),
        ("ref 04465-0K240", "044650K240"),
        ("ref 1K0 615 301 AA", "1K0615301AA"),
        ("ref 06A.115.561", "06A115561"),
        ("temp −5", "-5"),
        ("Cre\u0300me bru\u0302le\u0301e", "Crème brûlée"),
        ("SPIN-ON OIL FLTR", "spin-on oil filter"),
        ("slotted break discs", "slotted brake disc"),
        ("free wheel pully", "freewheel pulley"),
    ],
)
def test_what_a_record_says_is_found_with_its_place(text: str, value: str | float) -> None:
    found = SearchedText(text).find(value, least=0.9)
    assert found.score >= 0.9
    assert found.span is not None
    assert text[slice(*found.span)].strip()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("10 W 35TH ST", "35"),  # only part of a word
        ("10 W 35TH ST", "36TH"),
        ("part 12345678", "12345679"),  # similar to the eye, but another number
        ("brake pad", "brake disc"),
        ("due on 3 May 2024", "2024-05-04"),
        ("weighs 3 kg", 4),
        ("3-5 kg", -5),  # a range
        ("M8-5", -5),  # within a code
        ("M-5", -5),
        ("10--5", -5),
        ("- 5 pieces", -5),
        ("5 C", -5),
        ('-2 1/4" off', -4),
        ("9" * 400, 9),  # more than any number can hold
        ("1/" + "9" * 5000, 1),
        ("part 1e3x", 1000),  # within a code
        ("part A1e3", 1000),
        ("true story", True),
        ("nothing", ""),
        ("nothing", "  "),
        ("a b", "ab c"),
        ("id 9007199254740992", 9007199254740993),
        ("2,3 pcs", 23),
        ("15 mm", 5),
        ("1.5 kg", 5),
        ("180,00 EUR", 0),
        ("2½ in", 2),
        ('5"-6"', -6),
        ("5€-6€", -6),
        ("Qty 1, 2 pcs", "12"),
        ("pages 1-2", "12"),
        ("on 3 4th", "34th"),
        ("M8\n12 pcs", "M812"),
        ("1.5, 2 kg", "5.2"),
        ("12,500", "500"),
        ("1.5 kg", "5"),
        ("1.5 kg", "5 kg"),
        ("width 203,5", "2035"),
        ("temp 5", "-5"),
        ("temp 5 kg", "-5 kg"),
        ("3-5 kg", "-5"),
        ("at 3 May 2024 10:00 pm", "2024-05-03T10:00:00"),
        ("at 3 May 2024 10:00 UTC", "2024-05-03T10:00:00+02:00"),
        ("on 3 May 2024", "2024-05-03T00:00:00Z"),
        ("Cre\u0300me bru\u0302le\u0301e", "Cre"),
        ("connector, male, 12 volts, black", "connector, female, 12 volts, black"),
        ("not water resistant jacket", "now water resistant jacket"),
        ("front left brake caliper assembly with pads", "front right brake caliper assembly with pads"),
    ],
)
def test_what_a_record_does_not_say_is_not_found(text: str, value: str | float) -> None:
    assert SearchedText(text).find(value, least=0.9) == (0.0, None)


def test_a_near_miss_is_found_only_if_asked_for() -> None:
    assert SearchedText("Volkswagn Golf").find("Volkswagen").span is None
    found = SearchedText("a Volkswagn Golf").find("Volkswagen", least=0.8)
    assert (found.span, round(found.score, 2)) == ((2, 11), 0.95)


@given(st.text(), st.text(min_size=1).filter(lambda text: any(char.isalnum() for char in text)), st.text())
def test_a_value_that_stands_in_a_record_as_words_of_their_own_is_found(before: str, value: str, after: str) -> None:
    text = f"{before} {value} {after}"
    found = SearchedText(text).find(value)
    assert found.score == 1.0
    assert found.span is not None
    assert 0 <= found.span[0] < found.span[1] <= len(text)


@given(st.text(), st.one_of(st.text(), st.floats(allow_nan=False), st.integers()), st.floats(0.1, 1))
def test_no_text_breaks_it(text: str, value: str | float, least: float) -> None:
    found = SearchedText(text).find(value, least)
    assert found.score == 0 or least <= found.score <= 1
