-- The same answer as before, in plpgsql: its statements are planned once a session, an SQL function's at every call,
-- and every movement asks for two places.
create or replace function place_erp_location(of_place uuid) returns text language plpgsql stable as $$
declare
    location text;
    above    uuid := of_place;
begin
    for depth in 0 .. 16 loop
        select erp_location, parent_id into location, above from place where id = above;
        exit when location is not null or above is null;
    end loop;
    return location;
end
$$;
