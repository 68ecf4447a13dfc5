// Goods on their way in: delivery notices and receipts.
export {};
