"""What scanned and typed texts mean."""

from contextlib import suppress
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_drivers.gs1 import (
    FNC1,
    InvalidIdentifier,
    check_digit,
    gtin14,
    is_valid_gln,
    is_valid_gtin,
    is_valid_sscc,
    parse_scan,
    sscc_with_check_digit,
)

SSCC = "340123450000000017"


def test_a_gs1_128_of_a_case_names_item_lot_expiry_and_weight() -> None:
    scan = parse_scan(f"]C1010950600013435231030012501727013110LOT7{FNC1}21S-9")
    assert (scan.kind, scan.symbology) == ("gs1", "]C1")
    assert (scan.gtin, scan.lot, scan.serial) == ("09506000134352", "LOT7", "S-9")
    assert (scan.expires_on, scan.net_weight_g) == (date(2027, 1, 31), Decimal(1250))


def test_the_three_written_forms_of_one_code_mean_the_same() -> None:
    human = parse_scan("(01)09506000134352(10)A/1(17)270131")
    link = parse_scan("https://brand.example/some/path/01/09506000134352/10/A%2F1?17=270131&utm=x")
    message = parse_scan(f"]d20109506000134352{'10A/1'}{FNC1}17270131")
    assert human.digital_link == link.digital_link == message.digital_link
    assert human.digital_link == "https://id.gs1.org/01/09506000134352/10/A%2F1?17=270131"
    assert link.kind == "digital_link"
    assert human.fnc1 == f"010950600013435210A/1{FNC1}17270131"
    assert parse_scan(f"]d2{human.fnc1}").elements == human.elements


def test_a_pallet_label_gives_sscc_contents_and_count() -> None:
    scan = parse_scan(f"]C100{SSCC}020950600013435237120")
    assert (scan.sscc, scan.contained_gtin, scan.count, scan.gtin) == (SSCC, "09506000134352", 120, None)


def test_a_message_without_identifier_and_fnc1_is_recognised_by_its_leading_key() -> None:
    scan = parse_scan("01095060001343521726063010AB")
    assert (scan.kind, scan.gtin, scan.lot, scan.expires_on) == (
        "gs1",
        "09506000134352",
        "AB",
        date(2026, 6, 30),
    )
    assert parse_scan(f"00{SSCC}").sscc == SSCC


@pytest.mark.parametrize(
    ("text", "gtin"),
    [
        ("4006381333931", "04006381333931"),
        ("]E04006381333931", "04006381333931"),
        ("]E496385074", "00000096385074"),
        ("]E3400638133393112345", "04006381333931"),
        ("]I115400141288763", "15400141288763"),
        ("96385074", "00000096385074"),
        ("036000291452", "00036000291452"),
    ],
)
def test_retail_codes_become_a_gtin_of_14_digits(text: str, gtin: str) -> None:
    scan = parse_scan(text)
    assert (scan.kind, scan.gtin, scan.elements) == ("gtin", gtin, (("01", gtin),))


def test_a_value_may_contain_parentheses() -> None:
    assert parse_scan("(01)09506000134352(10)A(b)(21)x").lot == "A(b)"


def test_day_zero_is_the_last_of_the_month() -> None:
    assert parse_scan("(01)09506000134352(17)280200").expires_on == date(2028, 2, 29)


def test_pounds_become_exact_grams() -> None:
    assert parse_scan("(01)09506000134352(3202)000100").net_weight_g == Decimal("453.59237")


def test_location_order_and_asset_codes_are_named() -> None:
    assert parse_scan("(414)9521141123454").gln == "9521141123454"
    assert parse_scan("(400)PO-17").purchase_order == "PO-17"
    assert parse_scan("(8003)095211411234545678").grai == "095211411234545678"
    assert parse_scan("(8004)95211415678").giai == "95211415678"


def test_an_epc_urn_is_an_epc() -> None:
    scan = parse_scan("urn:epc:id:sgtin:0614141.812345.6789")
    assert (scan.kind, scan.gtin, scan.serial) == ("epc", "80614141123458", "6789")
    assert scan.epc == "urn:epc:id:sgtin:0614141.812345.6789"


@pytest.mark.parametrize(
    "text", ["A-01-02", "SO-2026-0001", "https://example.com/help", "12345", "]C0A-01-02", "0"]
)
def test_a_text_that_is_not_gs1_stays_usable_as_it_is(text: str) -> None:
    scan = parse_scan(text)
    assert (scan.kind, scan.problem, scan.text) == ("plain", None, text.removeprefix("]C0"))


@pytest.mark.parametrize("text", ["4006381333932", "340123450000000018", "00340123450000000018"])
def test_digits_that_almost_are_a_key_stay_usable_and_tell_their_doubt(text: str) -> None:
    scan = parse_scan(text)
    assert (scan.kind, scan.elements) == ("plain", ())
    assert scan.problem
    assert "check digit" in scan.problem


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        (FNC1, "empty"),
        ("]E04006381333932", "check digit is 2, it should be 1"),
        ("]E0ABC", "8, 12, 13 or 14 digits"),
        ("(01)09506000134353", "check digit is 3, it should be 2"),
        ("]C10109506000134353", "check digit is 3, it should be 2"),
        ("https://id.gs1.org/01/09506000134353", "check digit is 3, it should be 2"),
        ("(00)340123450000000018", "check digit is 8, it should be 7"),
        ("(01)09506000134352(17)271301", "Expiration date"),
        ("(01)09506000134352(17)270231", "Expiration date"),
        ("(01)0950600013435", "14"),
        ("(05)123", "known application identifiers"),
        ("]C10509506000134352", "not a GS1 message"),
        ("urn:epc:id:sgtin:0614141.81234.6789", "not a valid EPC"),
    ],
)
def test_what_must_be_gs1_and_is_wrong_says_why(text: str, words: str) -> None:
    with pytest.raises(InvalidIdentifier, match=words):
        parse_scan(text)


@given(st.one_of(st.text(max_size=60), st.text("0123456789()]CdQ\x1d/.:htps", max_size=60)))
def test_any_text_is_a_scan_or_a_clear_refusal(text: str) -> None:
    with suppress(InvalidIdentifier):
        assert parse_scan(text).text


@given(st.text("0123456789", min_size=7, max_size=17))
def test_a_check_digit_finds_every_single_wrong_digit(digits: str) -> None:
    right = digits + check_digit(digits)
    assert check_digit(right[:-1]) == right[-1]
    wrong = str((int(digits[0]) + 1) % 10) + digits[1:]
    assert check_digit(wrong) != right[-1]


def test_keys_are_made_and_judged() -> None:
    assert check_digit("400638133393") == "1"
    assert sscc_with_check_digit(3, "4012345", 1) == SSCC
    assert is_valid_sscc(SSCC)
    assert not is_valid_sscc("340123450000000018")
    assert is_valid_gtin("4006381333931")
    assert not is_valid_gtin("4006381333932")
    assert not is_valid_gtin("４００６３８１３３３９３１")
    assert is_valid_gln("9521141123454")
    assert gtin14("96385074") == "00000096385074"
    with pytest.raises(InvalidIdentifier, match="17 digits"):
        sscc_with_check_digit(3, "4012345", 10**9)
