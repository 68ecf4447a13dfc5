-- What the floor and the key figures ask of the last day or month is found without reading years.
create index movement_by_time on movement using brin (recorded_at) with (pages_per_range = 32, autosummarize = on);
create index sales_order_by_due on sales_order (site_id, due_at);
create index sales_order_by_shipped on sales_order (site_id, shipped_at) where shipped_at is not null;
create index asn_by_day on asn (site_id, coalesce(expected_at, created_at));
create index putaway_task_by_done on putaway_task (site_id, done_at) where state = 'done';
create index posting_unsettled on posting (site_id, state) where state <> 'posted';
create index discrepancy_by_raised on discrepancy (site_id, raised_at);

-- A line's progress is summed where it is asked for. Grouped, as it was, a page of orders summed every line there ever was.
create or replace view order_line_progress as
select l.site_id, l.id as line_id, l.order_id, l.item_id, l.quantity, l.shipped,
       r.allocated, r.picked, r.packed, r.loaded, l.quantity - l.shipped - r.reserved as waiting
from sales_order_line l cross join lateral (
    select coalesce(sum(s.quantity), 0) as reserved,
           coalesce(sum(s.quantity) filter (where s.stage = 'allocated'), 0) as allocated,
           coalesce(sum(s.quantity) filter (where s.stage = 'picked'), 0) as picked,
           coalesce(sum(s.quantity) filter (where s.stage = 'packed'), 0) as packed,
           coalesce(sum(s.quantity) filter (where s.stage = 'loaded'), 0) as loaded
    from (select v.quantity,
                 case when p.kind in ('vehicle', 'dock_door') then 'loaded'
                      when p.kind in ('bin', 'zone', 'aisle') then 'allocated'
                      when lp.kind = 'carton' then 'packed'
                      else 'picked' end as stage
          from reservation v join place p on p.id = v.place_id left join license_plate lp on lp.id = v.license_plate_id
          where v.demand_kind = 'order_line' and v.demand_id = l.id and v.closed_at is null) s) r;
