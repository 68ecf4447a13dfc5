-- A serial that comes back is looked up among what was packed.
create index carton_content_by_serial on carton_content (item_id, serial) where serial is not null;
