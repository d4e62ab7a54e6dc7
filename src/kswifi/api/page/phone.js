// The lab phone in words: everything here is what its card, its modem and the network last said.

import { lab } from "/page/api.js";
import { element, octetsText } from "/page/draw.js";

const ACCESS = {
  full: "full access",
  control_only: "control-only access",
  ended: "ended by the network",
  detached: "not attached",
};

/** What the network says of the line. */
export function lineText(facts) {
  const said = `${ACCESS[facts.access]}${facts.reason ? ` (${facts.reason})` : ""}`;
  return facts.line ? `on, ${said}` : "off";
}

/** What came of browsing: facts are the phone's after it. */
export function browsedText(came, facts) {
  const octets = octetsText(came.octets);
  if (facts.wifi) return `${octets} came over WiFi, which nobody counts.`;
  if (!came.cut_off) return `${octets} came over the line.`;
  return `${octets} came over the line, then it was cut: ${ACCESS[facts.access]} (${facts.reason}).`;
}

export function drawPhone(list, facts) {
  const rows = [
    ["WiFi", facts.wifi ? "on" : "off"],
    ["Line", lineText(facts)],
    ...(facts.attached ? [["Address", facts.pdn_address]] : []),
    ["eSIM", facts.eid],
    ...facts.profiles.map(({ iccid, enabled }) => ["Profile", `${iccid}, ${enabled ? "enabled" : "disabled"}`]),
    ["Sessions on it", String(facts.records.length)],
  ];
  const nodes = rows.map(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]);
  list.replaceChildren(...nodes.flat());
}

/** Have the card hold this profile and use it; fetchProfile gives its octets if the card has it not. */
export async function putOnCard(origin, iccid, fetchProfile) {
  const { profiles } = await lab(origin, "GET", "/phone");
  const installed = profiles.find((profile) => profile.iccid === iccid);
  if (!installed) await lab(origin, "POST", "/phone/card/profiles", await fetchProfile());
  else if (!installed.enabled) await lab(origin, "POST", "/phone/card/enable", { iccid });
}
