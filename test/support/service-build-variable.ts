/** Holds the directory of the built service, for the processes of tests. Without it, they start the service from its sources. */
export const SERVICE_BUILD = 'GRANTEX_TEST_SERVICE_BUILD';
