"""How a word that somebody typed finds an item: in its SKU, its name in any language, or a GTIN of its packs."""

from __future__ import annotations

ITEM_MATCHES = """(i.sku ilike %(like)s or i.name ilike %(like)s or i.name_i18n::text ilike %(like)s
    or exists (select 1 from item_pack k where k.item_id = i.id and k.gtin like %(like)s))"""
"""A condition on `item i`; `like` is the parameter that `like()` makes."""


def like(q: str) -> str:
    """The pattern that finds `q` anywhere; its own wildcards are plain characters."""
    return "%" + q.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_") + "%"
