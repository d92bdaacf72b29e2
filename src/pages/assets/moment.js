const format = new Intl.DateTimeFormat('en-GB', {
  day: 'numeric',
  month: 'long',
  year: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
  timeZoneName: 'short',
});

/** A time in ISO 8601 as the person's own clock has it. */
export const localMoment = (iso) => format.format(new Date(iso));
