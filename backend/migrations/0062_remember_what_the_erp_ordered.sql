-- What a sale of the ERP said when it was taken, line by line: [ordered there, taken here]. So that a later change is seen.
alter table erp_seen add column taken jsonb not null default '{}';
