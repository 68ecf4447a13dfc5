"""Master data: sites, places, items with their packs and codes, partners, lots, and what a scanned code means."""
