// Read and verify a session package on the device (docs/package-format.md). The signature is checked before any member of the
// manifest is used, and damage before validity.

/** @import {Manifest, VerifiedPackage} from "./types.d.ts" */

const MAGIC = [0x4b, 0x53, 0x57, 0x69, 0x46, 0x69, 0x1a]; // "KSWiFi" and a control character
const HEAD = MAGIC.length + 5;
const MOST = 32 * 1024;
/** The names of the chunks by the version of the format. Version 2 is for the line of a data provider. @type {Record<number, string>} */
const CHUNKS = { 1: "session_record,activation.json,terms.txt", 2: "line.json,terms.txt" };

export class PackageRefused extends Error {
  /** @param {string} code the same as the server's verifier uses */
  constructor(code) {
    super(code);
    this.code = code;
  }
}

/** @param {ArrayBuffer} octets */
export const hex = (octets) => [...new Uint8Array(octets)].map((one) => one.toString(16).padStart(2, "0")).join("");
/** @param {BufferSource} octets */
export const sha256 = async (octets) => hex(await crypto.subtle.digest("SHA-256", octets));

/** @param {string} text */
function fromBase64Url(text) {
  const octets = Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (one) => one.charCodeAt(0));
  const again = btoa(String.fromCharCode(...octets))
    .replace(/\+/g, "-")
    .replace(/\//g, "_")
    .replace(/=+$/, "");
  if (again !== text) throw new PackageRefused("package_manifest_damaged");
  return octets;
}
/** @param {BufferSource} octets */
const utf8 = (octets) => new TextDecoder("utf-8", { fatal: true }).decode(octets);

/** @param {Uint8Array<ArrayBuffer>} stored @param {number} octets */
async function unpack(stored, octets) {
  // The signed manifest limits the length: a chunk that unpacks to more is refused.
  const reader = new Blob([stored]).stream().pipeThrough(new DecompressionStream("gzip")).getReader();
  const raw = new Uint8Array(octets);
  let filled = 0;
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    if (filled + value.length > octets) throw new PackageRefused("package_chunk_damaged");
    raw.set(value, filled);
    filled += value.length;
  }
  if (filled !== octets) throw new PackageRefused("package_chunk_damaged");
  return raw;
}

/** @param {Uint8Array<ArrayBuffer>} data @param {{keys: any[]}} jwks @returns {Promise<[string, Manifest, Uint8Array<ArrayBuffer>]>} */
async function readManifest(data, jwks) {
  if (MAGIC.some((octet, at) => at < data.length && data[at] !== octet) || !data.length) throw new PackageRefused("not_a_package");
  if (data.length <= MAGIC.length) throw new PackageRefused("package_cut_short");
  if (data.length > MOST) throw new PackageRefused("package_surplus_octets");
  if (!CHUNKS[data[MAGIC.length]]) throw new PackageRefused("package_version_unknown");
  if (data.length < HEAD) throw new PackageRefused("package_cut_short");
  const length = new DataView(data.buffer, data.byteOffset).getUint32(MAGIC.length + 1);
  if (length > 8192) throw new PackageRefused("package_manifest_damaged");
  if (data.length < HEAD + length) throw new PackageRefused("package_cut_short");
  const parts = String.fromCharCode(...data.subarray(HEAD, HEAD + length)).split(".");
  let header, signature;
  try {
    header = JSON.parse(utf8(fromBase64Url(parts[0])));
    signature = fromBase64Url(parts[2]);
  } catch {
    throw new PackageRefused("package_manifest_damaged");
  }
  if (parts.length !== 3 || header.alg !== "ES256" || header.typ !== "kswifi-package+jws")
    throw new PackageRefused("package_manifest_damaged");
  const jwk = jwks.keys.find((one) => one.kid === header.kid);
  if (!jwk) throw new PackageRefused("package_unknown_key");
  const curve = { name: "ECDSA", namedCurve: "P-256" };
  const key = await crypto.subtle.importKey("jwk", { kty: jwk.kty, crv: jwk.crv, x: jwk.x, y: jwk.y }, curve, false, ["verify"]);
  const signed = new TextEncoder().encode(`${parts[0]}.${parts[1]}`);
  if (!(await crypto.subtle.verify({ name: "ECDSA", hash: "SHA-256" }, key, signature, signed)))
    throw new PackageRefused("package_manifest_damaged");
  return [header.kid, JSON.parse(utf8(fromBase64Url(parts[1]))), data.subarray(HEAD + length)];
}

/**
 * Check every octet of a package and return its contents.
 * @param {Uint8Array<ArrayBuffer>} data the whole file
 * @param {{keys: any[]}} jwks the server's public keys
 * @param {{now?: number, session_id?: string, iccid?: string | null}} [expected]
 * @returns {Promise<VerifiedPackage>}
 * @throws {PackageRefused} with the code of what is wrong
 */
export async function verifyPackage(data, jwks, { now = Date.now(), session_id, iccid } = {}) {
  const [kid, manifest, body] = await readManifest(data, jwks);
  if (manifest.chunks.map((one) => one.name).join() !== CHUNKS[data[MAGIC.length]]) throw new PackageRefused("package_manifest_damaged");
  if (body.length < manifest.size) throw new PackageRefused("package_cut_short");
  if (body.length > manifest.size) throw new PackageRefused("package_surplus_octets");
  const raw = [];
  let offset = 0;
  for (const chunk of manifest.chunks) {
    const stored = body.slice(offset, offset + chunk.octets);
    if (chunk.offset !== offset || (await sha256(stored)) !== chunk.sha256) throw new PackageRefused("package_chunk_damaged");
    raw.push(await unpack(stored, chunk.raw_octets).catch(() => Promise.reject(new PackageRefused("package_chunk_damaged"))));
    offset += chunk.octets;
  }
  if (offset !== manifest.size) throw new PackageRefused("package_manifest_damaged");
  if (session_id && manifest.session_id !== session_id) throw new PackageRefused("package_for_another_session");
  if (iccid && manifest.iccid !== iccid) throw new PackageRefused("package_for_another_card");
  if (now >= manifest.valid_until * 1000) throw new PackageRefused("package_expired");
  const activation = raw.length > 2 ? JSON.parse(utf8(raw[1])) : null;
  return { manifest, kid, activation, terms: utf8(raw[raw.length - 1]) };
}
