// Which page shows a thing: used by search, scans and evidence links alike.
export function addressOf(kind: string, id: string | null | undefined, code?: string | null): string | null {
  const encoded = code ? encodeURIComponent(code) : null;
  switch (kind) {
    case "item":
    case "pack":
    case "gtin":
      return id ? `/items/${id}` : null;
    case "lot":
      return id ? `/movements?lot_id=${id}` : null;
    case "partner":
      return `/settings/partners?q=${encoded ?? ""}`;
    case "epc":
    case "tag":
    case "unit":
    case "serial":
    case "license_plate":
    case "sscc":
      return encoded ? `/units/${encoded}` : null;
    case "place":
      return id ? `/places/${id}` : null;
    case "order":
    case "sales_order":
      return id ? `/orders/${id}` : null;
    case "asn":
      return id ? `/asns/${id}` : null;
    case "receipt":
      return id ? `/receipts/${id}` : null;
    case "return":
      return id ? `/returns/${id}` : null;
    case "load":
    case "shipment":
      return id ? `/shipments/${id}` : null;
    case "count":
      return "/discrepancies?tab=counts&count=all";
    case "vehicle":
      return encoded ? `/dispatch?route=${encoded}` : null;
    case "delivery_route":
      return id ? `/dispatch?route=${id}` : null;
    case "delivery_job":
      return id ? `/dispatch?job=${id}` : null;
    case "device":
      return id ? `/devices/${id}` : null;
    case "discrepancy":
      return id ? `/discrepancies/${id}` : null;
    case "posting":
      return id ? `/outbox/${id}` : null;
    default:
      return null;
  }
}
