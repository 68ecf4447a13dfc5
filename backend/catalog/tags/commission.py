"""The life of a tag: commissioned once, replaced by another, taken out of use."""

from __future__ import annotations

import re
from dataclasses import dataclass
from uuid import UUID

from backend.catalog.codes import epc_meaning
from backend.context import Context
from backend.db import Conn
from backend.errors import Conflict, Invalid, NotFound, Unknown
from backend.ids import new_id
from device_drivers.gs1 import InvalidIdentifier, epc_from_hex, epc_from_tag_uri, epc_from_uri


class TagInUse(Conflict):
    """The same EPC a second time."""

    kind, title = "tag-in-use", "This EPC stands for something already"


@dataclass(frozen=True)
class NewTag:
    """Either an item (with pack, lot, serial as the item needs) or a license plate."""

    epc: str
    item_id: UUID | None = None
    pack_id: UUID | None = None
    lot_id: UUID | None = None
    serial: str | None = None
    license_plate_id: UUID | None = None


def read_epc(text: str) -> str:
    """Hexadecimal or an EPC URI -> hexadecimal as readers report it. Raises Invalid."""
    text = text.strip()
    try:
        if text.lower().startswith("urn:epc:tag:"):
            return epc_from_tag_uri(text).hex
        if text.lower().startswith("urn:epc:id:"):
            return epc_from_uri(text).hex
    except InvalidIdentifier as e:
        raise Invalid(f"This EPC cannot be read: {e}", field="epc") from e
    if not re.fullmatch(r"[0-9A-Fa-f]{4,128}", text):
        raise Invalid(
            "An EPC is 4 to 128 hexadecimal digits, or a URI that starts with urn:epc:.", field="epc"
        )
    return text.upper()


def commission(conn: Conn, ctx: Context, new: NewTag, *, origin: str = "commissioned") -> UUID:
    """EPC -> item, lot, serial; or EPC -> license plate. Raises TagInUse, Invalid, Unknown."""
    epc = read_epc(new.epc)
    if (new.item_id is None) == (new.license_plate_id is None):
        raise Invalid("A tag stands for an item or for a license plate; say one of the two.", field="item_id")
    if conn.execute("select 1 from tag where epc = %s and state = 'active'", [epc]).fetchone():
        raise _in_use(conn, epc)
    serial = _check_item(conn, epc, new) if new.item_id is not None else None
    if new.license_plate_id is not None:
        _check_plate(conn, ctx, epc, new.license_plate_id)
    tag_id = new_id()
    made = conn.execute(
        """insert into tag (id, epc, item_id, pack_id, lot_id, serial, license_plate_id, commissioned_by, origin)
           values (%s, %s, %s, %s, %s, %s, %s, %s, %s) on conflict (epc) where state = 'active' do nothing returning id""",
        [
            tag_id,
            epc,
            new.item_id,
            new.pack_id,
            new.lot_id,
            serial,
            new.license_plate_id,
            ctx.actor,
            origin,
        ],
    ).fetchone()
    if made is None:  # somebody else was faster
        raise _in_use(conn, epc)
    conn.execute(
        """update unknown_tag set state = 'claimed', settled_at = %s, settled_by = %s, tag_id = %s
           where site_id = %s and epc = %s and state = 'open'""",
        [ctx.now, ctx.actor, tag_id, ctx.site_id, epc],
    )
    return tag_id


def _in_use(conn: Conn, epc: str) -> TagInUse:
    return TagInUse(
        f"{epc} already stands for {describe(conn, epc)}. Re-tag that one, or take another tag.",
        field="epc",
        epc=epc,
    )


def describe(conn: Conn, epc: str) -> str:
    row = conn.execute(
        """select coalesce(i.sku || coalesce(' serial ' || t.serial, '') || coalesce(' lot ' || l.code, ''), lp.kind || ' ' || lp.code)
           from tag t left join item i on i.id = t.item_id left join lot l on l.id = t.lot_id
                left join license_plate lp on lp.id = t.license_plate_id where t.epc = %s and t.state = 'active'""",
        [epc],
    ).fetchone()
    return str(row[0]) if row else epc_meaning(epc)


def _check_item(conn: Conn, epc: str, new: NewTag) -> str | None:
    item = conn.execute("select sku, tracking from item where id = %s", [new.item_id]).fetchone()
    if item is None:
        raise Unknown("There is no such item.", field="item_id")
    sku, tracking = item
    units = 1
    if new.pack_id is not None:
        pack = conn.execute(
            "select units from item_pack where id = %s and item_id = %s", [new.pack_id, new.item_id]
        ).fetchone()
        if pack is None:
            raise Unknown(f"{sku} has no such pack.", field="pack_id")
        units = pack[0]
    serial = new.serial
    try:
        bits = epc_from_hex(epc)
    except InvalidIdentifier:
        bits = None
    if bits is not None and bits.sscc:
        raise Invalid(
            f"{epc} carries the SSCC {bits.sscc}: it belongs on a license plate, not on an item.", field="epc"
        )
    if bits is not None and bits.gtin:
        serial = serial or bits.serial
        owner = conn.execute(
            "select i.id, i.sku from item_pack k join item i on i.id = k.item_id where k.gtin = %s",
            [bits.gtin],
        ).fetchone()
        if owner is not None and owner[0] != new.item_id:
            raise Invalid(
                f"The tag itself says GTIN {bits.gtin}, which is {owner[1]}, not {sku}. Check the tag.",
                field="epc",
            )
    if tracking == "serial" and not serial:
        raise Invalid(f"{sku} is kept by serial number; say which one.", field="serial")
    if tracking == "serial" and units != 1:
        raise Invalid(
            f"{sku} is kept by serial number; a tag on a pack of several cannot name them.", field="pack_id"
        )
    if tracking == "lot" and new.lot_id is None:
        raise Invalid(f"{sku} is kept by lot; say which lot.", field="lot")
    if (
        new.lot_id is not None
        and not conn.execute(
            "select 1 from lot where id = %s and item_id = %s", [new.lot_id, new.item_id]
        ).fetchone()
    ):
        raise Unknown(f"{sku} has no such lot.", field="lot")
    if (
        tracking == "serial"
        and conn.execute(
            "select 1 from tag where item_id = %s and serial = %s and state = 'active'", [new.item_id, serial]
        ).fetchone()
    ):
        raise TagInUse(f"{sku} serial {serial} carries another tag already; re-tag it.", field="serial")
    return serial


def _check_plate(conn: Conn, ctx: Context, epc: str, license_plate_id: UUID) -> None:
    plate = conn.execute(
        "select code from license_plate where id = %s and site_id = %s", [license_plate_id, ctx.site_id]
    ).fetchone()
    if plate is None:
        raise Unknown("There is no such license plate at this site.", field="license_plate_id")
    try:
        bits = epc_from_hex(epc)
    except InvalidIdentifier:
        return
    if bits.gtin:
        raise Invalid(f"{epc} carries the GTIN {bits.gtin}: it belongs on an item.", field="epc")
    if bits.sscc and bits.sscc != plate[0]:
        raise Invalid(f"The tag itself says SSCC {bits.sscc}, not {plate[0]}. Check the tag.", field="epc")


def retag(conn: Conn, ctx: Context, old_epc: str, new_epc: str) -> UUID:
    """The old tag is replaced by a new one that stands for the same. Raises NotFound, TagInUse."""
    old = read_epc(old_epc)
    row = conn.execute(
        """select id, item_id, pack_id, lot_id, serial, license_plate_id, origin from tag
           where epc = %s and state = 'active' for update""",
        [old],
    ).fetchone()
    if row is None:
        raise NotFound(f"{old} is not in use; commission the new tag instead.", field="epc")
    if read_epc(new_epc) == old:
        raise Invalid("The new tag is the old one.", field="new_epc")
    conn.execute("update tag set state = 'replaced' where id = %s", [row[0]])
    new = NewTag(new_epc, row[1], row[2], row[3], row[4], row[5])
    tag_id = commission(conn, ctx, new, origin=row[6] if row[6] != "decoded" else "commissioned")
    conn.execute("update tag set replaced_by = %s where id = %s", [tag_id, row[0]])
    return tag_id


def decommission(conn: Conn, ctx: Context, epc: str) -> None:
    """Takes a tag out of use; its EPC may be commissioned again. Raises NotFound."""
    done = conn.execute(
        "update tag set state = 'decommissioned' where epc = %s and state = 'active'", [read_epc(epc)]
    ).rowcount
    if not done:
        raise NotFound(f"{epc} is not in use.", field="epc")
