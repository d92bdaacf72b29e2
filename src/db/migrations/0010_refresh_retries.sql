-- How often a retry of the refresh that made this token was answered with the token again. Each answer was counted as a
-- refresh, so rows and their repetitions together are what the counter of refreshes must equal.
alter table refresh_tokens add column repeats integer not null default 0;
