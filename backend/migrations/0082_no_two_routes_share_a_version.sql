-- Who moves a delivery says which version of its route they saw, not which route. Where versions were counted for each
-- route, a delivery that a colleague had put on another one of the same version was moved on without a word.
create sequence delivery_route_version as integer;
grant usage on sequence delivery_route_version to stowage_app;

create function number_route_version() returns trigger language plpgsql as $$
begin
    new.version := nextval('delivery_route_version');
    return new;
end $$;

update delivery_route set version = nextval('delivery_route_version');

create trigger delivery_route_version_is_its_own before insert or update of version on delivery_route
    for each row execute function number_route_version();
