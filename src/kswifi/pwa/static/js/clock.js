// The time of the server. A phone's clock can be wrong by weeks, and the last day of a session must not follow it.

/** A smaller difference comes from the network's delay and from the Date field, which has whole seconds; in milliseconds. */
const TOLERANCE = 120000;
let ahead = 0;

/** Return the present instant by the server's clock, in milliseconds since 1970. */
export const now = () => Date.now() - ahead;

/** Return by how many milliseconds the device's clock is ahead of the server's; 0 if both agree. */
export const clockError = () => ahead;
/** Use the difference that was stored before a reload. @param {number} milliseconds */
export const setClockError = (milliseconds) => {
  ahead = milliseconds;
};

/** Compare the device's clock with the Date field of an answer (RFC 9110, 6.6.1). @param {string | null} date */
export function compareClock(date) {
  const difference = Date.now() - Date.parse(date ?? "");
  if (!Number.isNaN(difference)) ahead = Math.abs(difference) < TOLERANCE ? 0 : difference;
}
