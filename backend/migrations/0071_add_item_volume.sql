-- How much room one base unit takes. Null: told from its weight, 5 ml a gram.
alter table item add column volume_ml numeric(14, 3) constraint item_volume_positive check (volume_ml > 0);
