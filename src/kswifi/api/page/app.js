// The whole road by clicking: sign in, download, store on the eSIM, switch on, browse, until the cut-off.

import { change, get, getOctets, lab, post, rememberLogin } from "/page/api.js";
import { arrived, download } from "/page/download.js";
import { drawList, element, figures, gigabytes, octetsText } from "/page/draw.js";
import { browsedText, drawPhone, lineText, putOnCard } from "/page/phone.js";

const $ = (id) => document.getElementById(id);
const progressOf = new Map(); // session id -> [octets, total] of the download under way
const busy = new Set(); // ids of the sessions of which a step is under way
let labOrigin = null;
let stream = null;
let refreshing = null;

function say(text, isProblem = false) {
  $("message").textContent = text;
  $("message").classList.toggle("problem", isProblem);
}

/** Run what a button asks for; the button waits, and a problem is said. */
async function run(button, work) {
  button.disabled = true;
  try {
    await work();
  } catch (problem) {
    if (problem.status === 401) await showEntrance();
    say(problem.message, true);
  } finally {
    button.disabled = false;
  }
}

function log(text) {
  $("log").prepend(element("li", {}, `${new Date().toLocaleTimeString()} ${text}`));
  while ($("log").children.length > 100) $("log").lastChild.remove();
}

// --- who ---

async function showEntrance() {
  stream?.close();
  stream = null;
  $("entrance").hidden = false;
  for (const id of ["inside", "sign-out", "code-shown"]) $(id).hidden = true;
  $("who").textContent = "";
  $("log").replaceChildren();
}

async function showInside(login) {
  $("entrance").hidden = true;
  $("inside").hidden = $("sign-out").hidden = false;
  $("who").textContent = login.account.phone_number ?? login.account.email;
  await drawOffers();
  await refresh();
  follow();
}

function showCode(code) {
  $("code").textContent = code;
  $("code-shown").hidden = false;
  $("code-kept").focus();
}

$("credentials").addEventListener("submit", (event) => {
  event.preventDefault();
  const registering = event.submitter?.value === "register";
  run(event.submitter, async () => {
    const body = Object.fromEntries(new FormData(event.target));
    const login = rememberLogin(await post(registering ? "/accounts" : "/logins", body));
    event.target.reset();
    if (registering) showCode(login.recovery_code);
    say("You are signed in.");
    await showInside(login);
  });
});

$("recovery").addEventListener("submit", (event) => {
  event.preventDefault();
  run(event.submitter, async () => {
    const { recovery_code } = await post("/recoveries", Object.fromEntries(new FormData(event.target)));
    event.target.reset();
    showCode(recovery_code);
    say("The new password is set: sign in with it.");
  });
});

$("code-kept").addEventListener("click", () => {
  $("code").textContent = "";
  $("code-shown").hidden = true;
});

$("sign-out").addEventListener("click", (event) =>
  run(event.currentTarget, async () => {
    await change("DELETE", "/logins/current");
    await showEntrance();
    say("You are signed out.");
  }),
);

// --- what can be had ---

async function drawOffers() {
  const { offers } = await get("/offers");
  drawList($("offers"), offers, (offer) => {
    const button = element("button", { type: "button" }, "Download Session");
    button.addEventListener("click", () => run(button, () => order(offer)));
    return [element("h3", {}, offer.title), button];
  });
}

async function order(offer) {
  await change("POST", "/sessions", { offer_id: offer.id });
  say(`${offer.title}: ordered. Its package is being signed.`);
  await refresh();
}

// --- the road of each session ---

const MEANINGS = {
  stored: "The card has proved that it holds it. Switch the line on when you like: no WiFi needed.",
  paused: "The network holds the line.",
  exhausted: "Used up: back to WiFi.",
};

const STEPS = {
  packaged: [["Download", fetchPackage], ["Cancel", cancel]],
  downloading: [["Download", fetchPackage], ["Cancel", cancel]],
  downloaded: [["Transfer to eSIM", store], ["Cancel", cancel]],
  transferring: [["Transfer to eSIM", store], ["Cancel", cancel]],
  stored: [["Activate Session", activate], ["Cancel", cancel]],
  active: [["Pause", pause]],
  paused: [["Continue", activate]],
};

async function fetchPackage(session) {
  say(`Downloading ${gigabytes(session)}: the right to it is ${octetsText(session.package_octets)} to fetch…`);
  const digest = await download(session, $("break-off").checked, (size, total) => {
    progressOf.set(session.session_id, [size, total]);
    drawSessions();
  });
  $("break-off").checked = false;
  if (digest === null) {
    say(`Broken off after ${octetsText(arrived(session.session_id))}. Download again to resume there.`);
    return;
  }
  progressOf.delete(session.session_id);
  await change("POST", `/sessions/${session.session_id}/downloaded`, { sha256: digest });
  say("The package is here, whole and verified.");
}

async function store(session) {
  say("Transferring to eSIM…");
  if (session.state === "downloaded") await change("POST", `/sessions/${session.session_id}/transfer`, {});
  await putOnCard(labOrigin, session.iccid, async () => {
    const profile = await getOctets(`/esims/${session.esim_id}/profile-package`);
    return new Uint8Array(await profile.arrayBuffer());
  });
  await prove(session, 2);
  await lookAtPhone();
  say("Session ready for activation: the card has proved that it holds it.");
}

async function prove(session, attempts) {
  const proof = `/sessions/${session.session_id}/storage-proof`;
  const { challenge_id, apdus } = await get(proof);
  const { responses } = await lab(labOrigin, "POST", "/phone/card/apdu", { apdus });
  try {
    await change("POST", proof, { challenge_id, responses });
  } catch (problem) {
    if (problem.code !== "storage_proof_resynchronised" || attempts === 1) throw problem;
    await prove(session, attempts - 1);
  }
}

async function activate(session) {
  await change("POST", `/sessions/${session.session_id}/activate`);
  say(
    session.state === "paused"
      ? "Asked for. A line that is on hears of it within seconds, or at once when it is switched off and on."
      : "Asked for. Switch WiFi off and the line on: the session is active with its first octet.",
  );
}

async function pause(session) {
  await change("POST", `/sessions/${session.session_id}/deactivate`);
  say("Asked for: the network pauses the line.");
}

async function cancel(session) {
  await change("POST", `/sessions/${session.session_id}/cancel`);
  say("Cancelled: the allowance is yours again.");
}

let sessions = [];

function drawSessions() {
  $("no-sessions").hidden = sessions.length > 0;
  drawList($("sessions"), sessions, (session) => {
    const buttons = (STEPS[session.state] ?? []).map(([text, step]) => {
      const disabled = (step === store && labOrigin === null) || busy.has(session.session_id);
      const options = { type: "button", class: text === "Cancel" ? "plain" : "", disabled };
      const button = element("button", options, text);
      button.addEventListener("click", () =>
        run(button, async () => {
          busy.add(session.session_id);
          try {
            await step(session);
          } finally {
            busy.delete(session.session_id);
            drawSessions();
          }
          await refresh();
        }),
      );
      return button;
    });
    const [size, total] = progressOf.get(session.session_id) ?? [0, 0];
    return [
      element("h3", {}, gigabytes(session)),
      element("p", { class: "state" }, session.state),
      ...[MEANINGS[session.state], session.state_reason].filter(Boolean).map((words) => element("p", {}, words)),
      ...(total ? [element("progress", { value: size, max: total, "aria-label": "downloaded" })] : []),
      ...meter(session),
      ...(buttons.length ? [element("div", { class: "row" }, ...buttons)] : []),
    ];
  });
}

function meter(session) {
  const lastInstant = new Date(Date.parse(session.valid_until) - 1);
  const until = `until ${lastInstant.toLocaleString([], { dateStyle: "medium", timeStyle: "short" })}`;
  if (!session.as_of) return [element("p", { class: "quiet" }, until)];
  const { available, reserved } = session.balance;
  const left = available + reserved;
  const asOf = `as of ${new Date(session.as_of).toLocaleTimeString()}`;
  const capped = session.allowance_octets !== null;
  return [
    ...(capped ? [element("progress", { value: left, max: session.allowance_octets, "aria-label": "left" })] : []),
    element("p", { class: "quiet" }, `${capped ? `${octetsText(left)} left ${asOf}, ` : ""}${until}`),
    element("p", { class: "quiet ledger" }, `The ledger's octets ${asOf}: ${figures(session.balance)}`),
  ];
}

/** Load the sessions; calls that come meanwhile share one more load. */
async function refresh() {
  refreshing ??= Promise.resolve().then(async () => {
    refreshing = null;
    sessions = (await get("/sessions")).sessions;
    drawSessions();
  });
  return refreshing;
}

function follow() {
  stream?.close();
  stream = new EventSource("/api/v1/events");
  for (const kind of ["hello", "reset"]) stream.addEventListener(kind, () => quietly(refresh));
  for (const kind of ["session_state_changed", "session_balance_changed", "line_changed", "profile_state_changed"]) {
    stream.addEventListener(kind, (event) => {
      const facts = JSON.parse(event.data);
      if (facts.state) log(`${kind.split("_")[0]}: ${facts.state}`);
      quietly(refresh);
      if (kind !== "session_balance_changed") quietly(lookAtPhone);
    });
  }
}

async function quietly(work) {
  try {
    await work();
  } catch (problem) {
    if (problem.status === 401) await showEntrance();
  }
}

// --- the lab phone ---

async function lookAtPhone() {
  if (labOrigin === null) return null;
  const facts = await lab(labOrigin, "GET", "/phone");
  drawPhone($("phone-facts"), facts);
  return facts;
}

/** Have the phone do something; then say what came of it, which outcome(answer, facts) words. */
async function phone(path, body, doing, outcome) {
  say(`${doing}…`);
  try {
    const answer = await lab(labOrigin, "POST", path, body);
    say(outcome(answer, await lookAtPhone()));
    await refresh();
  } catch (problem) {
    await quietly(lookAtPhone);
    throw problem;
  }
}

for (const [word, on] of [["on", true], ["off", false]]) {
  const wifi = () => phone("/phone/wifi", { on }, `WiFi ${word}`, () => `The phone's WiFi is ${word}.`);
  const line = () => phone("/phone/line", { on }, `Line ${word}`, (_, facts) => `The line is ${lineText(facts)}.`);
  $(`wifi-${word}`).addEventListener("click", (event) => run(event.currentTarget, wifi));
  $(`line-${word}`).addEventListener("click", (event) => run(event.currentTarget, line));
}

$("browse").addEventListener("submit", (event) => {
  event.preventDefault();
  const megabytes = $("megabytes").valueAsNumber;
  const octets = megabytes * 1_000_000;
  run(event.submitter, () => phone("/phone/browse", { octets }, `Browsing ${megabytes} MB`, browsedText));
});

async function start() {
  if (!window.isSecureContext) {
    throw new Error("Over plain HTTP a browser verifies nothing: open this page by https, or on the machine itself.");
  }
  const environment = await get("/environment");
  labOrigin = environment.lab_origin;
  $("phone").hidden = labOrigin === null;
  quietly(lookAtPhone);
  try {
    await showInside(rememberLogin(await get("/account")));
  } catch (problem) {
    await showEntrance();
    if (problem.status !== 401) say(problem.message, true);
  }
}

start().catch((problem) => say(problem.message, true));
