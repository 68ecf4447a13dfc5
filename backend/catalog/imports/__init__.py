"""CSV in: items, places, license plates, partners, supplier prices, opening stock, delivery notices.

`import_csv` reads a whole file and imports all of it or nothing; with `dry_run` it says what it would do. Every error
comes with its row and column, all of them at once. `KINDS` is the list of what can be imported, each with its documented
columns; to add one: a module here with `COLUMNS` and `import_rows`, and a line in `KINDS`.
"""

from backend.catalog.imports.run import KINDS, ImportKind, Report, import_csv
from backend.catalog.imports.table import Column, RowError, decode

__all__ = ["KINDS", "Column", "ImportKind", "Report", "RowError", "decode", "import_csv"]
