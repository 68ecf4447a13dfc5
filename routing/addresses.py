"""Where an address is, by the map's own addresses: what a person wrote goes in, places with a score come out.

Case, accents, common abbreviations, ranges (12-14), staircases and flats (12 A 3), typing errors and the order of the
parts do not matter; a city or postcode that does not fit does. `best` answers only when one place is meant and no
other: the same street in two cities, or a number the map does not have, is for a person to decide.
Made from an OpenStreetMap extract by `build` (address_build.py) into one SQLite file.
"""

from __future__ import annotations

import re
import sqlite3
import threading
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher, get_close_matches
from pathlib import Path

from routing.geo import Point, straight_m

SURE = 0.9
SAME_PLACE_M = 150
"""Entrances of one building, shops in one house: whoever is meant, the van stops there."""
NEAR_PLACE_M = 1500
LONGEST_STREET = 6  # words

NUMBER_MISSING, NO_NUMBER, OTHER_TOWN, OTHER_POSTCODE, NAME_ONLY = 0.55, 0.6, 0.8, 0.7, 0.85

COUNTRIES = frozenset({
    "fi", "fin", "finland", "suomi", "li", "fl", "l", "liechtenstein", "pt", "p", "portugal", "se", "s", "sverige", "sweden",
    "de", "d", "deutschland", "germany", "at", "a", "osterreich", "oesterreich", "austria", "ch", "schweiz", "suisse",
    "switzerland",
})  # fmt: skip
IN_THE_HOUSE = frozenset({
    "as", "asunto", "apt", "apartment", "rappu", "rp", "krs", "kerros", "lh", "floor", "flat", "unit", "og", "eg", "stock",
    "top", "whg", "lgh", "tr", "andar", "esq", "dto",
})  # fmt: skip
"""Words for flats and floors: the van does not need them."""
ENDINGS = {
    "k.": "katu", "k": "katu", "t.": "tie", "g.": "gatan", "gt.": "gatan", "gat.": "gatan", "v.": "vagen", "str.": "strasse",
    "str": "strasse", "pl.": "platz", "aukio.": "aukio", "puistik.": "puistikko", "brv.": "bulevardi",
}  # fmt: skip
BEGINNINGS = {
    "r.": "rua", "av.": "avenida", "avda.": "avenida", "pr.": "praca", "pc.": "praca", "tv.": "travessa", "lg.": "largo",
    "dr.": "doutor", "st.": "sankt",
}  # fmt: skip
LETTERS = str.maketrans({"æ": "ae", "ø": "o", "ł": "l", "đ": "d", "’": "", "'": "", "´": "", "`": ""})


class AddressesUnreadable(Exception):
    """The file is not one of ours, or damaged. The text says what to do."""


@dataclass(frozen=True)
class Match:
    label: str
    """As it is written there: street and number, postcode and city."""
    lat: float
    lon: float
    score: float
    """0 to 1. From `SURE` on nothing that was asked contradicts it."""

    @property
    def point(self) -> Point:
        return Point(self.lat, self.lon)


# --- how things are written -------------------------------------------------------------------------------


def plain(text: str) -> str:
    """Lower case without accents."""
    decomposed = unicodedata.normalize("NFKD", text.casefold().translate(LETTERS))
    return "".join(c for c in decomposed if not unicodedata.combining(c))


def key_of(text: str) -> str:
    """A name without case, accents, spaces and signs: Peter-Kaiser-Platz and PETER KAISER PLATZ are the same."""
    return "".join(c for c in plain(text) if c.isalnum())


def words_of(text: str) -> list[str]:
    return re.findall(r"\w+", plain(text))


@dataclass(frozen=True)
class HouseNumber:
    low: int
    high: int
    letter: str = ""

    @classmethod
    def read(cls, text: str) -> HouseNumber | None:
        """`12`, `12a`, `12 A 3`, `12-14`, `12–14 B`; what follows (flats, floors) is not looked at."""
        found = re.match(r"\s*(\d{1,5})\s*(?:[-–—/]\s*(\d{1,5}))?\s*([a-z])?(?![a-z])", plain(text))
        if found is None:
            return None
        low, high = int(found[1]), int(found[2] or found[1])
        return cls(low, high if low <= high <= low + 100 else low, found[3] or "")

    def fits(self, there: HouseNumber) -> float:
        """How well a number on the map answers the number that was asked for. 0: not at all."""
        if (self.low, self.high) == (there.low, there.high):
            if self.letter == there.letter:
                return 1.0
            return 0.97 if self.letter == "" or there.letter == "" else 0.5
        same_side = (self.low - there.low) % 2 == 0
        if there.low <= self.low <= there.high and same_side:
            return 0.96  # 12 is asked for, the house is 10-14
        if self.low <= there.low <= self.high and same_side:
            return 0.95  # 12-14 is asked for, there is a 14
        return 0.0


@dataclass(frozen=True)
class _Word:
    text: str
    is_number: bool
    part: int
    """Counts the commas before it."""


@dataclass(frozen=True)
class _Reading:
    """One way to understand what was written: these words are the street, this the number ..."""

    street_key: str
    likeness: float
    number: HouseNumber | None
    postcode: str | None
    after: tuple[str, ...]
    """Words behind the street: a city, if they are to fit."""


def _split(text: str) -> list[_Word]:
    found: list[_Word] = []
    part = 0
    spelled = re.sub(r"(?<=\d)\s*[–—-]\s*(?=\d)", "-", plain(text))
    for token in re.findall(r"\d+(?:-\d+)?|[^\W\d_]+\.?|[,;\n]", spelled):
        if token in ",;\n":
            part += 1
        else:
            found.append(_Word(token, token[0].isdigit(), part))
    return found[:30]


def _is_postcode(text: str) -> bool:
    return bool(re.fullmatch(r"\d{4,6}|\d{4}-\d{3}", text))


def _spellings(words: Sequence[str]) -> Iterator[tuple[str, float]]:
    """The keys that a run of words may stand for, and how freely that was read."""
    whole = "".join(words)
    yield key_of(whole), 1.0
    for short, long in ENDINGS.items():
        if whole.endswith(short) and len(whole) > len(short) + 2:
            yield key_of(whole.removesuffix(short) + long), 0.99
    if words[0] in BEGINNINGS:
        yield from _spellings([BEGINNINGS[words[0]], *words[1:]])
    if len(words) > 1 and words[1] in BEGINNINGS:
        yield from _spellings([words[0], BEGINNINGS[words[1]], *words[2:]])


# --- looking up -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Row:
    street_key: str
    street: str
    number: str
    low: int
    high: int
    letter: str
    postcode: str | None
    city: str | None
    cities: str
    """The words of all names its town goes by."""
    lat: float
    lon: float

    @property
    def house(self) -> HouseNumber:
        return HouseNumber(self.low, self.high, self.letter)

    @property
    def point(self) -> Point:
        return Point(self.lat, self.lon)

    @property
    def town(self) -> str:
        return " ".join(p for p in (self.postcode, self.city) if p)

    @property
    def label(self) -> str:
        return ", ".join(p for p in (f"{self.street} {self.number}", self.town) if p)


COLUMNS = "street_key, street, number, low, high, letter, postcode, city, cities, lat, lon"


class Addresses:
    """The addresses of one map, for reading; may be used by several threads."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._towns: dict[str, list[Point]] = {}
        for key, lat, lon in connection.execute("select key, lat, lon from town"):
            self._towns.setdefault(key, []).append(Point(lat, lon))
        self._has_index = self._ask("select count(*) from sqlite_master where name = 'name_index'") != [(0,)]

    @classmethod
    def open(cls, path: Path) -> Addresses:
        """Raises AddressesUnreadable."""
        try:
            uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
            return cls(sqlite3.connect(uri, uri=True, check_same_thread=False))
        except sqlite3.Error as e:
            raise AddressesUnreadable(
                f"{path} does not hold a map's addresses ({e}); make it anew with `stowage roads build`"
            ) from e

    def find(self, text: str, limit: int = 5) -> list[Match]:
        """The likeliest first, each place once."""
        words = _split(text)
        readings = self._readings(words)
        matches = [m for reading in readings for m in self._answers(reading)]
        if not any(m.score > NO_NUMBER for m in matches):
            matches += self._by_name(words)
        return _each_once(sorted(matches, key=lambda m: -m.score), limit)

    def best(self, text: str) -> Match | None:
        """The place that is meant; None where that is not sure."""
        found = self.find(text, limit=20)
        if not found or found[0].score < SURE:
            return None
        first = found[0]
        rivals = [m for m in found[1:] if m.score > first.score - 0.04]
        if any(straight_m(m.point, first.point) > SAME_PLACE_M for m in rivals):
            return None
        return first

    def _ask(self, sql: str, values: Sequence[object] = ()) -> list[tuple[object, ...]]:
        with self._lock:
            return self._connection.execute(sql, values).fetchall()

    # --- which street ---

    def _readings(self, words: list[_Word]) -> list[_Reading]:
        """By the streets that any run of words names; by similar ones where none does."""
        runs: dict[str, list[tuple[int, int, float]]] = {}
        for begin in range(len(words)):
            for end in range(begin + 1, min(begin + LONGEST_STREET, len(words)) + 1):
                run = words[begin:end]
                if run[0].part != run[-1].part or all(w.is_number for w in run):
                    continue
                for key, likeness in _spellings([w.text for w in run]):
                    if len(key) > 2:
                        runs.setdefault(key, []).append((begin, end, likeness))
        named = [(*run, street) for key, street in self._streets(list(runs)) for run in runs[key]]
        found = [
            _read(words, begin, end, street, likeness)
            for begin, end, likeness, street in named
            # Alte Landstrasse is not Landstrasse
            if not any(b <= begin and end <= e and e - b > end - begin for b, e, *_ in named)
        ]
        if any(r.number is not None for r in found):
            return found
        return found + [
            _read(words, begin, end, street, likeness)
            for begin, end, street, likeness in self._similar(words, "street")
        ]

    def _streets(self, keys: list[str]) -> list[tuple[str, str]]:
        """(what was asked, the street's own key) of those that are streets."""
        marks = ", ".join("?" * len(keys))
        rows = self._ask(f"select key, street_key from street where key in ({marks})", keys)
        return [(str(key), str(street)) for key, street in rows]

    def _similar(self, words: list[_Word], kind: str) -> Iterator[tuple[int, int, str, float]]:
        """Names that are written nearly like a run of words."""
        for begin in range(len(words)):
            for end in range(begin + 1, min(begin + 4, len(words)) + 1):
                run = words[begin:end]
                key = key_of("".join(w.text for w in run))
                if run[0].part != run[-1].part or any(w.is_number for w in run) or len(key) < 5:
                    continue
                for name, street in self._candidates(key, kind):
                    likeness = SequenceMatcher(None, key, name, autojunk=False).ratio()
                    if likeness >= 0.84:
                        yield begin, end, street, 0.85 + 0.14 * (likeness - 0.84) / 0.16

    def _candidates(self, key: str, kind: str) -> list[tuple[str, str]]:
        if self._has_index:
            grams = {key[i : i + 3] for i in range(len(key) - 2)}
            query = " OR ".join(f'"{gram}"' for gram in sorted(grams))
            rows = self._ask(
                "select key, target from name_index where name_index match ? and kind = ? order by rank limit 12",
                [query, kind],
            )
            return [(str(name), str(target)) for name, target in rows]
        table = {"street": "select key, street_key from street", "name": "select key, id from name"}[kind]
        known = {str(name): str(target) for name, target in self._ask(table)}
        return [(name, known[name]) for name in get_close_matches(key, known, 5, 0.84)]

    # --- which house ---

    def _answers(self, reading: _Reading) -> list[Match]:
        rows = [_Row(*row) for row in self._ask(  # type: ignore[arg-type]
            f"select {COLUMNS} from address where street_key = ?", [reading.street_key])]  # fmt: skip
        if reading.number is None or not rows:
            return [
                replace(m, score=m.score * (NO_NUMBER if reading.number is None else NUMBER_MISSING))
                for m in self._roads(reading)
            ]
        known_postcodes = {row.postcode for row in rows if row.postcode}
        found = []
        for row in rows:
            fits = reading.number.fits(row.house)
            if fits:
                found.append(
                    Match(row.label, row.lat, row.lon, fits * self._town_fits(reading, row, known_postcodes))
                )
        if any(m.score > 0.5 for m in found):
            return found
        wanted = reading.number.low
        nearest = sorted(rows, key=lambda r: (abs(r.low - wanted), (r.low - wanted) % 2))[:3]
        return found + [
            Match(f"{row.label} (nearest number to {wanted})", row.lat, row.lon,
                  NUMBER_MISSING * self._town_fits(reading, row, known_postcodes))
            for row in nearest
        ]  # fmt: skip

    def _town_fits(self, reading: _Reading, row: _Row, known_postcodes: Collection[str | None]) -> float:
        score = reading.likeness
        if reading.postcode and row.postcode:
            score *= 1.0 if reading.postcode == row.postcode else OTHER_POSTCODE
        elif reading.postcode and known_postcodes and reading.postcode not in known_postcodes:
            score *= 0.92
        elif row.postcode and not reading.postcode:
            score *= 0.999  # of two that fit, what was said in full comes first
        town = set(row.cities.split())
        strange = [
            w
            for w in reading.after
            if w not in town and w not in COUNTRIES and not self._is_near(w, row.point)
        ]
        return score * (OTHER_TOWN if strange else 1.0)

    def _is_near(self, word: str, point: Point) -> bool:
        """The word names a part of town just there."""
        return any(straight_m(p, point) < NEAR_PLACE_M for p in self._towns.get(word, ()))

    def _roads(self, reading: _Reading) -> list[Match]:
        """The middle of the street, where there is nothing better."""
        rows = [_Row(str(k), str(s), "", 0, 0, "", None, str(city) if city else None, str(cities), float(str(lat)), float(str(lon)))
                for k, s, city, cities, lat, lon in self._ask(
                    "select street_key, street, city, cities, lat, lon from road where street_key = ?", [reading.street_key])]  # fmt: skip
        return [
            Match(
                ", ".join(p for p in (row.street, row.town) if p),
                row.lat,
                row.lon,
                self._town_fits(reading, row, set()),
            )
            for row in rows
        ]

    def _by_name(self, words: list[_Word]) -> list[Match]:
        """Shops and the like, by their names. Never sure: there may be another of the same name outside the map."""
        likeness: dict[str, float] = {}
        for begin, end, target, how_well in self._similar(words, "name"):
            rest = [w.text for n, w in enumerate(words) if not begin <= n < end and w.text not in COUNTRIES]
            score = NAME_ONLY * how_well * (0.9 if rest else 1.0)
            likeness[target] = max(score, likeness.get(target, 0.0))
        marks = ", ".join("?" * len(likeness))
        rows = self._ask(f"select id, label, lat, lon from name where id in ({marks})", list(likeness))
        return [
            Match(str(label), float(str(lat)), float(str(lon)), likeness[str(i)])
            for i, label, lat, lon in rows
        ]


def _read(words: list[_Word], begin: int, end: int, street_key: str, likeness: float) -> _Reading:
    number: HouseNumber | None = None
    postcode: str | None = None
    after: list[str] = []
    at = end
    if (
        at < len(words)
        and words[at].is_number
        and (words[at].part == words[end - 1].part or not _is_postcode(words[at].text))
    ):
        letter = ""
        if (
            at + 1 < len(words)
            and words[at + 1].part == words[at].part
            and re.fullmatch(r"[a-z]\.?", words[at + 1].text)
        ):
            letter = words[at + 1].text[0]
        number = HouseNumber.read(f"{words[at].text} {letter}")
        house_part = words[at].part
        at += 2 if letter else 1
        # flats, floors and doors stand behind the number, up to the comma or the postcode
        if (
            at < len(words)
            and words[at].part == house_part
            and words[at].is_number
            and not _is_postcode(words[at].text)
        ):
            at += 1
    elif (
        begin > 0
        and words[begin - 1].is_number
        and words[begin - 1].part == words[begin].part
        and not (_is_postcode(words[begin - 1].text))
    ):
        number = HouseNumber.read(words[begin - 1].text)
    for word in words[at:]:
        if not word.is_number and word.text.rstrip(".") not in IN_THE_HOUSE:
            after.append(word.text.rstrip("."))
        elif word.is_number and postcode is None and _is_postcode(word.text):
            postcode = word.text
    for word in words[:begin]:
        if word.is_number and postcode is None and _is_postcode(word.text):
            postcode = word.text
    return _Reading(street_key, likeness, number, postcode, tuple(after))


def _each_once(matches: list[Match], limit: int) -> list[Match]:
    """Leaves out what says the same of nearly the same place."""
    kept: list[Match] = []
    for match in matches:
        if len(kept) == limit:
            break
        if not any(m.label == match.label and straight_m(m.point, match.point) < SAME_PLACE_M for m in kept):
            kept.append(match)
    return kept
