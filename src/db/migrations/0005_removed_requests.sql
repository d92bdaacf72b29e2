-- Requests for authorization and refreshed tokens go with their agent too: without their numbers the counters of
-- authorizations and refreshes could not be compared with rows any more.
alter table removed_grants add column requested bigint not null default 0, add column refreshed bigint not null default 0;
