/** Where the job queue keeps its tables. They come with the library, which also brings them to newer versions. */
export const JOBS_SCHEMA = 'jobs';
