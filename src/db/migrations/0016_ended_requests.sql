-- How many requests for authorization have expired: nothing happens when one does, so a background job counts them
-- (src/tallies). Both rows have one horizon: what ended by then is counted. Earlier versions neither read nor write them.
insert into tallies (name, total, horizon)
  select name, 0, date_bin('1 minute', now(), timestamptz '2000-01-01 00:00:00Z')
  from (values ('requests_expired_undecided'), ('requests_expired_unused')) as counted (name);
