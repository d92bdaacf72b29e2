/** The shape of the rows that `fill` writes. */

/** The developers that share the rows. The first has a tenth of all grants, the last one in some ten thousand. */
export const DEVELOPERS = 1000;
/** The agents of the largest developers, at most. */
export const AGENTS = 500;
/** The grants of the developer with number 0, which has as many of them in a small database as in a large one. */
export const STEADY_GRANTS = 2000;
/** The age of the oldest rows. Nothing is old enough to be removed. */
export const DAYS = 25;

/** The id of a developer of the filled database. */
export const developerIdOf = (developer: number): string =>
  `dev_01J0000000${String(developer).padStart(16, '0')}`;

/** The agent with number 1 is the largest of its developer. */
export const agentIdOf = (developer: number, agent: number): string =>
  `ag_01J0000000${String(developer).padStart(6, '0')}${String(agent).padStart(10, '0')}`;

/** The API key of a developer of the filled database. */
export const keyOf = (developer: number): string => `gx_live_filled_${developer}`;

/** The principal with the most grants of every developer. */
export const BUSIEST_PRINCIPAL = 'user_1';

/**
 * A schema with functions of a row's number n. A fraction of n times an irrational number is spread evenly, and is the same
 * in every run. Neighbours in time belong to different developers, as they would in a service. Each function is one
 * expression, which the planner writes into the statement.
 * @param end the time of the newest rows, in milliseconds
 */
export const functionsFor = (rows: number, end: number): string => `
  create schema fill;
  create function fill.spread(n bigint, root float8, most float8) returns int immutable language sql return
    floor(power(most + 1, n * root - floor(n * root)))::int;
  -- Each twentieth grant is delegated from the one before it.
  create function fill.root(n bigint) returns bigint immutable language sql return
    case when n % 20 = 0 then n - 1 else n end;
  create function fill.developer(n bigint) returns int immutable language sql return
    case when fill.root(n) % ${Math.max(2, Math.floor(rows / STEADY_GRANTS))} = 1 then 0
      else fill.spread(fill.root(n), 1.618033988749895, ${DEVELOPERS}) end;
  create function fill.agents(developer int) returns int immutable language sql return
    case when developer = 0 then 20
      else greatest(1, least(${AGENTS}, ${Math.floor(rows / 700)} / developer)) end;
  create function fill.agent(n bigint, developer int) returns int immutable language sql return
    fill.spread(fill.root(n), 1.4142135623730951, fill.agents(developer));
  create function fill.principal(n bigint, developer int) returns text immutable language sql return
    'user_' || fill.spread(fill.root(n), 1.7320508075688772,
      case when developer = 0 then 200 else ${Math.max(10, Math.floor(rows / 100))} end);
  create function fill.developer_id(developer int) returns text immutable language sql return
    'dev_01J0000000' || lpad(developer::text, 16, '0');
  create function fill.agent_id(developer int, agent int) returns text immutable language sql return
    'ag_01J0000000' || lpad(developer::text, 6, '0') || lpad(agent::text, 10, '0');
  create function fill.ms(n bigint) returns bigint immutable language sql return
    ${end} - ((${rows} - n) * ${(DAYS * 86_400_000) / rows}::float8)::bigint;
  create function fill.letter(ms bigint, bits int) returns text immutable language sql return
    substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ', ((ms >> bits) & 31)::int + 1, 1);
  -- The two parts of a ULID: its time, and a number instead of random bits.
  create function fill.moment(ms bigint) returns text immutable language sql return
    fill.letter(ms, 45) || fill.letter(ms, 40) || fill.letter(ms, 35) || fill.letter(ms, 30) || fill.letter(ms, 25)
      || fill.letter(ms, 20) || fill.letter(ms, 15) || fill.letter(ms, 10) || fill.letter(ms, 5) || fill.letter(ms, 0);
  create function fill.random(number bigint) returns text immutable language sql return
    lpad(upper(to_hex(number)), 16, '0');
  create function fill.ulid(ms bigint, number bigint) returns text immutable language sql return
    fill.moment(ms) || fill.random(number);`;
