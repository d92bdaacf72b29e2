/** Where the job queue keeps its tables. The library creates and upgrades them. */
export const JOBS_SCHEMA = 'jobs';
