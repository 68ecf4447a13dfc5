"""A CSV file as people make them: UTF-8 with or without BOM, UTF-16 or Windows-1252; comma, semicolon or tab; blanks.

`read_table` gives rows whose getters (`text`, `number`, `choice` ...) collect errors instead of raising them.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import TypeVar

from backend.errors import Invalid

T = TypeVar("T")
MAX_ROWS = 100_000


@dataclass(frozen=True)
class Column:
    """One column of a kind of file, as the person who writes the file reads about it."""

    name: str
    doc: str
    required: bool = False


@dataclass(frozen=True)
class RowError:
    """`row` is the line as a spreadsheet numbers it: the header is 1. `column` is None for the whole row."""

    row: int
    column: str | None
    value: str
    detail: str


@dataclass
class Row:
    """One line. A getter returns None where the cell is empty or wrong; wrong cells are in `errors`."""

    number: int
    cells: dict[str, str]
    errors: list[RowError] = field(default_factory=list)

    def fail(self, column: str | None, detail: str) -> None:
        self.errors.append(RowError(self.number, column, self.cells.get(column or "", ""), detail))

    def text(
        self, column: str, *, required: bool = False, most: int = 200, pattern: str | None = None
    ) -> str | None:
        value = self.cells.get(column, "")
        if not value:
            if required:
                self.fail(column, "must be filled in")
            return None
        if len(value) > most:
            self.fail(column, f"is longer than {most} characters")
            return None
        if "\0" in value or (pattern and not re.fullmatch(pattern, value)):
            self.fail(column, "has characters that are not allowed here")
            return None
        return value

    def code(self, column: str, *, required: bool = False) -> str | None:
        return self.text(column, required=required, most=63, pattern=r"[A-Za-z0-9][A-Za-z0-9_.\-]*")

    def number_of(
        self, column: str, *, required: bool = False, least: Decimal | None = None, above: Decimal | None = None,
        most: Decimal = Decimal(10) ** 11,
    ) -> Decimal | None:  # fmt: skip
        """A decimal point or comma; no thousands separators."""
        text = self.text(column, required=required)
        if text is None:
            return None
        try:
            value = Decimal(text.replace(",", ".") if re.fullmatch(r"-?\d+,\d+", text) else text)
        except InvalidOperation:
            self.fail(column, "is not a number; write 12 or 12.5")
            return None
        if not value.is_finite() or value != round(value, 6):
            self.fail(column, "is not a number with at most six decimals")
            return None
        if (least is not None and value < least) or (above is not None and value <= above) or value > most:
            floor = (
                f"above {above}" if above is not None else f"at least {least}" if least is not None else ""
            )
            self.fail(column, f"must be {floor}".rstrip() if value <= most else f"is larger than {most:f}")
            return None
        return value

    def integer(self, column: str, *, least: int = 0, most: int = 10**6) -> int | None:
        value = self.number_of(column)
        if value is None:
            return None
        if value != int(value) or not least <= value <= most:
            self.fail(column, f"must be a whole number from {least} to {most}")
            return None
        return int(value)

    def choice(self, column: str, choices: Sequence[str], *, required: bool = False) -> str | None:
        value = self.text(column, required=required)
        if value is None:
            return None
        if value.lower() not in choices:
            self.fail(column, f"must be one of {', '.join(choices)}")
            return None
        return value.lower()

    def boolean(self, column: str) -> bool | None:
        value = self.text(column)
        if value is None:
            return None
        if value.lower() in ("yes", "true", "1", "y", "x"):
            return True
        if value.lower() in ("no", "false", "0", "n"):
            return False
        self.fail(column, "must be yes or no")
        return None

    def day(self, column: str) -> date | None:
        """2027-06-30, 30.6.2027 or 20270630. What could be read two ways is refused."""
        value = self.text(column)
        if value is None:
            return None
        try:
            if m := re.fullmatch(r"(\d{1,2})\.(\d{1,2})\.(\d{4})", value):
                return date(int(m[3]), int(m[2]), int(m[1]))
            if re.fullmatch(r"\d{4}-\d{2}-\d{2}|\d{8}", value):
                return date.fromisoformat(value)
        except ValueError:
            pass
        self.fail(column, "is not a date; write it as 2027-06-30")
        return None

    def moment(self, column: str) -> datetime | None:
        value = self.text(column)
        if value is None:
            return None
        try:
            at = datetime.fromisoformat(value)
        except ValueError:
            self.fail(column, "is not a time; write it as 2027-06-30T14:00+03:00")
            return None
        return at if at.tzinfo is not None else at.replace(tzinfo=UTC)

    def checked(self, column: str, check: Callable[[str], T]) -> T | None:
        """A cell through a function that raises ValueError."""
        value = self.text(column)
        if value is None:
            return None
        try:
            return check(value)
        except ValueError as e:
            self.fail(column, str(e))
            return None


def decode(data: bytes) -> str:
    """Bytes of a file -> text. Raises Invalid."""
    for bom, encoding in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if data.startswith(bom):
            try:
                return data.decode(encoding)
            except UnicodeDecodeError as e:
                raise Invalid("The file is damaged: its text encoding does not hold.", field="file") from e
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def read_table(text: str, columns: Sequence[Column]) -> tuple[list[Row], list[RowError]]:
    """Text -> rows, and what is wrong with the header. Raises Invalid where there is no table at all."""
    text = text.lstrip("\ufeff")
    if not text.strip():
        raise Invalid("The file is empty.", field="file")
    first = text.splitlines()[0]
    if m := re.fullmatch(r"sep=(.)", first.strip()):  # a spreadsheet's hint
        delimiter, text = m[1], text.split("\n", 1)[1] if "\n" in text else ""
        skipped = 1
    else:
        delimiter, skipped = max(",;\t|", key=first.count), 0
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        header = [_column_name(c) for c in next(reader, [])]
        errors = _check_header(header, columns)
        rows: list[Row] = []
        for cells in reader:
            number = reader.line_num + skipped
            if not any(c.strip() for c in cells):
                continue
            if len(rows) >= MAX_ROWS:
                raise Invalid(f"The file has more than {MAX_ROWS} rows; split it.", field="file")
            row = Row(number, {name: cell.strip() for name, cell in zip(header, cells, strict=False) if name})
            if len(cells) > len(header) and any(c.strip() for c in cells[len(header) :]):
                row.fail(
                    None,
                    f"has {len(cells)} cells, the header {len(header)}; is a {delimiter!r} inside a text not quoted?",
                )
            rows.append(row)
    except csv.Error as e:
        raise Invalid(f"The file is no CSV: {e}", field="file") from e
    return rows, errors


def _column_name(text: str) -> str:
    return re.sub(r"[\s\-]+", "_", text.strip().lower())


def _check_header(header: Sequence[str], columns: Sequence[Column]) -> list[RowError]:
    known = [c.name for c in columns]
    errors = [
        RowError(1, c.name, "", f"this column is missing; the file has {', '.join(h for h in header if h)}")
        for c in columns
        if c.required and c.name not in header
    ]
    errors += [
        RowError(1, h, h, f"is no column of this file; it may have {', '.join(known)}")
        for h in header
        if h and h not in known
    ]
    errors += [
        RowError(1, h, h, "stands twice in the header")
        for h in sorted(set(header))
        if h and header.count(h) > 1
    ]
    return errors
