"""The truth: catalog, ledger, warehouse work, replenishment, integration, API. One folder a business capability."""
