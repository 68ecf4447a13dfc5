"""EPC memory <-> URIs <-> GS1 elements <-> Digital Link, for every scheme of Tag Data Standard 2.2.

`EXAMPLES` are the worked examples of TDS appendix E.3; the GS1 translation tables (TDT 2.2), read by a small
interpreter that shares no code with ours, judge the classic schemes field by field."""

import json
import re
from contextlib import suppress
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_drivers.gs1 import (
    InvalidIdentifier,
    epc_from_elements,
    epc_from_hex,
    epc_from_tag_uri,
    epc_from_uri,
    from_digital_link,
    from_fnc1,
    from_human,
    sgtin96_hex,
    sscc96_hex,
)
from device_drivers.gs1.epc_plus import SCHEMES
from tests.device_drivers.vectors import VECTORS, needs_vectors

EXAMPLES = [
    # scheme, hex as printed, element string, tag URI
    ("sgtin-96", "3066C4409047E140075BCD15", "(01)09506000134352(21)123456789", "3.95060001343.05.123456789"),
    ("sgtin-198", "3666C4409047E159B2C2BF1", "(01)09506000134352(21)32a/b", "3.95060001343.05.32a%2Fb"),
    ("sgtin+", "F73795211411234538566CB0AFC4", "(01)79521141123453(21)32a/b", None),
    ("dsgtin+", "FB342CDE795211411234538566CB0AFC4", "(01)79521141123453(21)32a/b(17)220630", None),
    ("sscc-96", "311BA1B300CE0A6A83000000", "(00)095201234567891235", "0.952012.03456789123"),
    ("sscc+", "F90095201234567891235", "(00)095201234567891235", None),
    ("sgln-96", "3276451FD46072000000162E", "(414)9521141123454(254)5678", "3.9521141.12345.5678"),
    ("sgln-195", "3976451FD46072CD9615F88", "(414)9521141123454(254)32a/b", "3.9521141.12345.32a%2Fb"),
    ("sgln+", "F2395211411234548566CB0AFC4", "(414)9521141123454(254)32a/b", None),
    ("grai-96", "3376451FD40C0E400000162E", "(8003)095211411234545678", "3.9521141.12345.5678"),
    ("grai-170", "3776451FD40C0E59B2C2BF1", "(8003)0952114112345432a/b", "3.9521141.12345.32a%2Fb"),
    ("grai+", "F13095211411234548566CB0AFC4", "(8003)0952114112345432a/b", None),
    ("giai-96", "3476451FD40000000000162E", "(8004)95211415678", "3.9521141.5678"),
    ("giai-202", "3876451FD59B2C2BF1", "(8004)952114132a/b", "3.9521141.32a%2Fb"),
    ("giai+", "FA3952114132E83C2BF10", "(8004)952114132a/b", None),
    ("gsrn-96", "2D76451FD4499602D2000000", "(8018)952114112345678906", "3.9521141.1234567890"),
    ("gsrn+", "F43952114112345678906", "(8018)952114112345678906", None),
    ("gsrnp-96", "2E76451FD4499602D2000000", "(8017)952114112345678906", "3.9521141.1234567890"),
    ("gsrnp+", "F53952114112345678906", "(8017)952114112345678906", None),
    ("gdti-96", "2C76451FD46072000000162E", "(253)95211411234545678", "3.9521141.12345.5678"),
    (
        "gdti-174",
        "3E76451FD7039B061438997367D0C18B266D1AB66EE0",
        "(253)9521141987650ABCDefgh012345678",
        "3.9521141.98765.ABCDefgh012345678",
    ),
    ("gdti+", "F6395211411234540458B8", "(253)95211411234545678", None),
    ("cpi-96", "3C76451FD400C0E680003039", "(8010)952114198765(8011)12345", "3.9521141.98765.12345"),
    (
        "cpi-var",
        "3D76451FD75411DEF6B4CC00000003039",
        "(8010)95211415PQ7/Z43(8011)12345",
        "3.9521141.5PQ7%2FZ43.12345",
    ),
    ("cpi+", "F0395211415E87A145BAFB4D19A8C0E4", "(8010)95211415PQ7/Z43(8011)12345", None),
    ("sgcn-96", "3F76451FD612640000019907", "(255)952114167890904711", "3.9521141.67890.04711"),
    ("sgcn+", "F839521141678909509338", "(255)952114167890904711", None),
    (
        "itip-110",
        "4076451FD40C0E40820000000F54",
        "(8006)095211411234540102(21)981",
        "3.9521141.012345.01.02.981",
    ),
    (
        "itip-212",
        "4176451FD40C0E4082DBDD8B366",
        "(8006)095211411234540102(21)mw133",
        "3.9521141.012345.01.02.mw133",
    ),
    ("itip+", "F3309521141123454010266AE27FDF35", "(8006)095211411234540102(21)rif981", None),
    ("gid-96", "3500E86F8000A9E000000586", None, "952056.2718.1414"),
    ("usdod-96", "2F320434147455900000162E", None, "3.CAGEY.5678"),
    ("adi-var", "3B0E0CF5E76C9047759AD00373DC7602E7200", None, "3.35962.PQ7VZ4.M37GXB92"),
]

_BITS = {"sgtin-198": 198, "sgln-195": 195, "grai-170": 170, "giai-202": 202, "itip-212": 212}


def in_memory(scheme: str, printed: str) -> str:
    """As the tag holds it: whole 16-bit words."""
    digits = printed.ljust(-(-_BITS.get(scheme, 0) // 4), "0")
    return digits + "0" * (-len(digits) % 4)


@pytest.mark.parametrize(
    ("scheme", "printed", "element_string", "tag"), EXAMPLES, ids=[e[0] for e in EXAMPLES]
)
def test_the_standards_own_examples_have_all_their_faces(
    scheme: str, printed: str, element_string: str, tag: str
) -> None:
    epc = epc_from_hex(in_memory(scheme, printed))
    assert (epc.scheme, epc.element_string) == (scheme, element_string)
    if tag:
        assert epc.tag_uri == f"urn:epc:tag:{scheme}:{tag}"
        assert epc_from_tag_uri(epc.tag_uri) == epc
        assert epc.pure_identity_uri
        assert epc_from_uri(epc.pure_identity_uri, scheme, epc.filter_value) == epc
    if element_string:
        assert from_human(element_string) == epc.elements
        assert epc.fnc1
        assert epc.digital_link
        assert from_fnc1(epc.fnc1) == epc.elements
        assert dict(from_digital_link(epc.digital_link)) == dict(epc.elements)
        length = len(epc.pure_identity_uri.split(":")[4].split(".")[0]) if epc.pure_identity_uri else None
        assert epc_from_elements(epc.elements, length, scheme, epc.filter_value) == epc


def test_an_expiry_date_behind_the_gtin_comes_back_from_its_tag() -> None:
    epc = epc_from_hex("FB342CDE795211411234538566CB0AFC4000")
    assert (epc.gtin, epc.serial, epc.get("17")) == ("79521141123453", "32a/b", "220630")


def test_lot_and_expiry_behind_an_sgtin_plus_are_read() -> None:
    elements = from_human("(01)09506000134352(21)S-1(10)LOT7(17)270131")
    epc = epc_from_elements(elements)
    assert epc.scheme == "sgtin+"
    assert epc_from_hex(epc.hex).elements == elements
    assert epc.lot == "LOT7"


def test_giai_96_keeps_all_its_digits_above_53_bits() -> None:
    epc = epc_from_tag_uri("urn:epc:tag:giai-96:0.0614141.288230376151711743")
    assert epc_from_hex(epc.hex).giai == "0614141288230376151711743"


def test_a_location_or_asset_type_of_no_digits_keeps_its_empty_component() -> None:
    sgln = epc_from_elements(from_human("(414)0614141000005(254)7"), 12)
    assert sgln.pure_identity_uri == "urn:epc:id:sgln:061414100000..7"
    grai = epc_from_elements(from_human("(8003)006141410000057"), 12)
    assert grai.pure_identity_uri == "urn:epc:id:grai:061414100000..7"
    assert epc_from_hex(sgln.hex) == sgln
    assert epc_from_hex(grai.hex) == grai


def test_a_gln_without_extension_is_the_reserved_extension_zero() -> None:
    epc = epc_from_elements((("414", "0614141000005"),), 7)
    assert epc.pure_identity_uri == "urn:epc:id:sgln:0614141.00000.0"
    assert epc_from_hex(epc.hex).element_string == "(414)0614141000005"


@pytest.mark.parametrize(
    "serial", ['a"b', "50%", "x&y", "a/b", "1<2", "2>1", "why?", "a(b)c", "%2F", "a+b;c=d"]
)
def test_every_character_of_a_serial_survives_all_forms(serial: str) -> None:
    epc = epc_from_elements((("01", "09506000134352"), ("21", serial)), 11)
    again = epc_from_hex(epc.hex)
    assert (epc.scheme, again.serial) == ("sgtin-198", serial)
    assert epc.pure_identity_uri
    assert epc_from_uri(epc.pure_identity_uri).hex == epc.hex
    assert epc.digital_link
    assert dict(from_digital_link(epc.digital_link))["21"] == serial


def test_the_makers_of_sgtin_and_sscc_give_the_known_bits() -> None:
    assert sgtin96_hex("80614141123458", 7, 6789, filter_value=3) == "3074257BF7194E4000001A85"
    assert sscc96_hex("095201234567891235", 6) == "311BA1B300CE0A6A83000000"


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: epc_from_hex(""), "empty"),
        (lambda: epc_from_hex("30742"), "whole bytes"),
        (lambda: epc_from_hex("E2801190A5021F80055817CA"), "header E2 belongs to no EPC scheme"),
        (lambda: epc_from_hex("3074257BF7194E400000"), "80 bits, SGTIN-96 has 96"),
        (lambda: epc_from_hex("3074257BF7194E4000001A850001"), "behind the 96 bits"),
        (lambda: epc_from_hex("307C257BF7194E4000001A85"), "not a valid SGTIN-96"),
        (lambda: epc_from_hex("F7379521141123453856"), "ends after 80 bits"),
        (lambda: epc_from_hex("F90095201234567891236000"), "check digit is 6, it should be 5"),
        (lambda: epc_from_hex("F90A95201234567891235000"), "decimal digits"),
        (lambda: epc_from_hex("F90095201234567891235001"), "should be zero"),
        (lambda: sgtin96_hex("80614141123459", 7, 1), "check digit is 9, it should be 8"),
        (lambda: sgtin96_hex("80614141123458", 7, 2**38), "does not fit"),
        (lambda: sgtin96_hex("80614141123458", 7, "007"), "does not fit"),
        (lambda: sgtin96_hex("80614141123458", 13, 1), "6 to 12 digits"),
        (lambda: epc_from_tag_uri("urn:epc:id:sgtin:0614141.812345.6789"), "not an EPC tag URI"),
        (lambda: epc_from_uri("urn:epc:id:sgtin:0614141.81234.6789"), "not a valid EPC"),
    ],
)
def test_what_is_not_exactly_an_epc_is_refused_with_the_reason(call: Any, words: str) -> None:
    with pytest.raises(InvalidIdentifier, match=re.escape(words)):
        call()


@given(st.binary(min_size=1, max_size=40))
def test_any_bytes_are_an_epc_or_a_clear_refusal(data: bytes) -> None:
    try:
        epc = epc_from_hex(data.hex())
    except InvalidIdentifier:
        return
    assert epc.uri


@given(st.sampled_from(sorted(SCHEMES)), st.data())
def test_random_bits_behind_a_plus_header_never_break_the_reader(scheme: str, data: st.DataObject) -> None:
    body = data.draw(st.binary(min_size=1, max_size=40))
    with suppress(InvalidIdentifier):
        epc_from_hex((bytes([SCHEMES[scheme][0]]) + body).hex())


GS1_TEXT = st.text(
    alphabet="!\"%&'()*+,-./0123456789:;<=>?ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz", min_size=1
)


@given(st.one_of(GS1_TEXT, st.text("0123456789", min_size=1), st.text("0123456789ABCDEF.:-", min_size=1)))
def test_any_serial_goes_into_an_sgtin_plus_and_comes_back(serial: str) -> None:
    elements = (("01", "09506000134352"), ("21", serial[:20]))
    assert epc_from_hex(epc_from_elements(elements).hex).elements == elements


# --- the GS1 Tag Data Translation tables as judge
# ------------------------------------------------------------


def levels(scheme: str) -> dict[str, Any]:
    table = json.loads((VECTORS / "gs1" / "tdt" / f"{scheme}.json").read_text())
    return {level["type"]: level for level in table["tdt:epcTagDataTranslation"]["scheme"]["level"]}


@cache
def numeric_schemes() -> list[str]:
    names = [
        "SGTIN-96",
        "SSCC-96",
        "SGLN-96",
        "GRAI-96",
        "GIAI-96",
        "GSRN-96",
        "GSRNP-96",
        "GDTI-96",
    ]
    return [*names, "GID-96"]  # SGCN and ITIP pack numbers by rules that the tables only name


def by_table(scheme: str, option: int, draw: Any) -> tuple[str, str]:
    """Random field values of one partition -> (bits, tag URI), as the table's grammar writes them."""
    binary, tag = levels(scheme)["BINARY"]["option"][option], levels(scheme)["TAG_ENCODING"]["option"][option]
    values = {}
    for field in binary["field"]:
        width, maximum = field["bitLength"], field.get("decimalMaximum")
        values[field["name"]] = (draw(st.integers(0, int(maximum) if maximum else 2**width - 1)), width)
    bits = uri = ""
    for word in binary["grammar"].split():
        bits += word.strip("'") if word.startswith("'") else format(values[word][0], f"0{values[word][1]}b")
    lengths = {field["name"]: field.get("length") for field in tag["field"]}
    for word in re.findall(r"'[^']*'|\w+", tag["grammar"]):
        if word.startswith("'"):
            uri += word.strip("'")
        elif lengths[word] != 0:  # a component of no digits stays empty
            uri += str(values[word][0]).zfill(lengths[word] or 0)
    return bits, uri


@needs_vectors("gs1/tdt")
@settings(max_examples=300)
@given(st.data())
def test_our_tag_uris_are_those_of_the_gs1_translation_tables(data: st.DataObject) -> None:
    scheme = data.draw(st.sampled_from(numeric_schemes()))
    option = data.draw(st.integers(0, len(levels(scheme)["BINARY"]["option"]) - 1))
    bits, uri = by_table(scheme, option, data.draw)
    bits += "0" * (-len(bits) % 16)
    epc = epc_from_hex(format(int(bits, 2), f"0{len(bits) // 4}X"))
    assert epc.tag_uri == uri
    assert epc_from_tag_uri(uri).hex == epc.hex
    patterns = [o["pattern"] for o in levels(scheme)["PURE_IDENTITY"]["option"]]
    assert any(re.match(pattern, epc.uri) for pattern in patterns)


@needs_vectors("gs1/tdt")
@pytest.mark.parametrize("scheme", sorted(SCHEMES))
def test_our_plus_schemes_are_those_of_the_gs1_translation_tables(scheme: str) -> None:
    level = levels(scheme.upper())["BINARY"]
    header, fields = SCHEMES[scheme]
    assert level["prefixMatch"] == f"{header:08b}"
    for option in level["option"]:
        assert [entry["ai"] for entry in option["encodedAI"]] == [ai for ai, _ in fields]


@needs_vectors("gs1/tdt")
def test_numbers_take_the_bits_of_table_b() -> None:
    from device_drivers.gs1.epc_plus import _integer_bits

    rows = json.loads((VECTORS / "gs1" / "tdt" / "TDT_TableB.json").read_text())["rows"]
    assert [_integer_bits(int(row["a"])) for row in rows] == [int(row["b"]) for row in rows]
