// Fetching a session package: resumable at any octet, and verified as a whole.

import { getOctets, Problem } from "/page/api.js";

const kept = new Map(); // session id -> {etag, octets: Uint8Array}: what has arrived so far

const joined = (parts) => {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
};

export async function sha256(octets) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", octets));
  return [...digest].map((octet) => octet.toString(16).padStart(2, "0")).join("");
}

export const arrived = (sessionId) => kept.get(sessionId)?.octets.length ?? 0;

/**
 * Fetch what is missing of a package; `breakOff` stops in the middle, as a lost network would.
 * Returns the package's SHA-256 in hex, or null when it was broken off.
 */
export async function download(session, breakOff, progress) {
  const before = kept.get(session.session_id) ?? { etag: null, octets: new Uint8Array() };
  const headers = before.etag ? { Range: `bytes=${before.octets.length}-`, "If-Range": before.etag } : {};
  let response;
  try {
    response = await getOctets(`/sessions/${session.session_id}/package`, headers);
  } catch (problem) {
    if (problem.status !== 416) throw problem;
    kept.delete(session.session_id); // all of it had arrived, but that was not told: begin again
    return download(session, breakOff, progress);
  }
  const resumed = response.status === 206;
  const had = resumed ? before.octets : new Uint8Array(); // 200: the whole of it comes, for it has changed
  const etag = response.headers.get("ETag");
  const total = had.length + Number(response.headers.get("Content-Length"));
  const limit = breakOff && !resumed ? Math.floor(total / 2) : total;
  const parts = [had];
  let size = had.length;
  const reader = response.body.getReader();
  while (size < limit) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value.subarray(0, limit - size));
    size += parts.at(-1).length;
    progress(size, total);
  }
  const octets = joined(parts);
  kept.set(session.session_id, { etag, octets });
  if (octets.length < total) {
    await reader.cancel().catch(() => undefined);
    return null;
  }
  const digest = await sha256(octets);
  if (digest !== session.package_sha256 || !etag?.includes(digest)) {
    kept.delete(session.session_id);
    throw new Problem(0, { code: "package_damaged", detail: "The package is not the one that was signed. Fetch it again." });
  }
  return digest;
}
