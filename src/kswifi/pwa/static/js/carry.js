// Carry secured packets to the lab phone's card while the phone is on WiFi, on every screen. They add sessions and change the order
// and state of those on the card. On other phones only an app with carrier privileges can do this.
import { Problem, read } from "./api.js";
import { carryPackets, look } from "./phone.js";
import { effect } from "./state.js";
import { actions, asked, carried, esimOff, phone, sessions } from "./store.js";

async function carry() {
  const lab = await look();
  if (!lab?.wifi) return;
  let off = false;
  for (const one of new Map(sessions.peek().map((one) => [one.iccid, one])).values()) {
    const profile = lab.profiles.find((other) => other.iccid === one.iccid);
    if (!profile || !(await read(`/api/v1/esims/${one.esim_id}/sessions`)).packets_waiting) continue;
    if (profile.enabled) {
      await carryPackets(one);
      carried.value += 1;
    } else off = true;
  }
  esimOff.value = off;
}

/** @type {number | undefined} */
let due;
/** @param {number} wait @param {number} [failures] */
function soon(wait, failures = 0) {
  clearTimeout(due);
  due = setTimeout(
    () =>
      carry().catch((error) => {
        if (error instanceof Problem && (error.passing || error.code === "packet_superseded"))
          soon(Math.min(60000, 1000 * 2 ** failures), failures + 1);
      }),
    wait,
  );
}

let before = "";
effect(() => {
  const { wifi, profiles } = phone.value ?? {};
  const now = JSON.stringify([wifi, profiles, asked.value, actions.value.length, sessions.value.map((one) => [one.session_id, one.state])]);
  if (now !== before) soon(300);
  before = now;
});
