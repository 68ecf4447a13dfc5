-- A serial that comes back without its item's code is looked up among what was packed.
create index carton_content_by_serial_alone on carton_content (site_id, serial) where serial is not null;
