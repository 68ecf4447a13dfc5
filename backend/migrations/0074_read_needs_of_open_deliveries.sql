-- What only some vehicles may carry was not asked before: every open delivery is told from its cartons' contents. Vehicles get
-- nothing: nobody but their owner knows which of them cools. Until that is said in the settings, such deliveries stand in the
-- tray with the reason, and their routes are neither released nor loaded; what is on the road is brought.
update delivery_job j set skills = n.needs, version = j.version + 1
from (
    select d.site_id, d.id, array(
        select s from unnest(d.skills) s where s <> all(array['chilled', 'frozen', 'hazard'])
        union
        select i.storage_class from delivery_job_carton c
               join carton_content x on x.site_id = c.site_id and x.carton_id = c.carton_id join item i on i.id = x.item_id
        where c.site_id = d.site_id and c.job_id = d.id and i.storage_class <> 'ambient' order by 1) as needs
    from delivery_job d where d.finished_at is null) n
where j.site_id = n.site_id and j.id = n.id and j.skills is distinct from n.needs;
