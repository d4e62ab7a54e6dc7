// The time, corrected by the server's: a phone's own clock can be wrong by weeks, and the last day of a session is not.

/** Below this a difference is the network's delay and the rounding of the Date field, in milliseconds. */
const TOLERANCE = 120000;
let ahead = 0;

/** The instant now, in milliseconds since 1970. */
export const now = () => Date.now() - ahead;

/** By how many milliseconds the device's clock is ahead of the server's; 0 where both agree. */
export const clockError = () => ahead;
/** Take the difference that was kept before a reload. @param {number} milliseconds */
export const setClockError = (milliseconds) => {
  ahead = milliseconds;
};

/** Compare the device's clock with the Date field of an answer (RFC 9110, 6.6.1). @param {string | null} date */
export function compareClock(date) {
  const difference = Date.now() - Date.parse(date ?? "");
  if (!Number.isNaN(difference)) ahead = Math.abs(difference) < TOLERANCE ? 0 : difference;
}
