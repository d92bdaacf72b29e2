-- What each process had counted when it ended in order, so that its counters can still be compared with rows. Process '' is the
-- sum of those that ended long ago.
create table process_counts (
  process     text not null,
  started_at  double precision not null,
  ended_at    timestamptz not null,
  family      text not null,
  labels      text not null,
  total       bigint not null,
  primary key (process, started_at, family, labels)
);
create index process_counts_ended on process_counts (ended_at) where process <> '';

-- When what was removed early (with its agent or its webhook) had been counted, by the minute. The numbers for ever are in
-- removed_grants and removed_deliveries. These only tell which of them may belong to a certain time, and go by age.
create table removed_counts (
  counted  text not null,
  minute   timestamptz not null,
  total    bigint not null,
  primary key (counted, minute)
);
create index removed_counts_minute on removed_counts (minute);

-- null: the delivery has not failed, or a release before this one wrote it.
alter table webhook_deliveries add column failed_at timestamptz;

-- They go by age, too.
create index removals_finished on removals (finished_at) where finished_at is not null;
create index removed_grants_removed on removed_grants (removed_at);
