/** Shapes that the app's modules share. Only the type check reads this file; no browser does. */

export type SessionState =
  | "ordered"
  | "packaged"
  | "downloading"
  | "downloaded"
  | "transferring"
  | "stored"
  | "active"
  | "paused"
  | "exhausted"
  | "expired"
  | "revoked"
  | "failed";

/** An internet session as the app keeps it. Octets are integers; instants are milliseconds since 1970. */
export interface InternetSession {
  session_id: string;
  esim_id: string;
  iccid: string | null;
  /** What the line is. A session that an older app has stored has none: it is a card of ours. */
  line_kind?: "card" | "profile" | "own_line";
  offer_id: string;
  state: SessionState;
  reason: string | null;
  allowance_octets: number | null;
  used_octets: number;
  /** Given to others, or moved to another eSIM. A session that an older app has stored has none. */
  sent_octets?: number;
  left_octets: number | null;
  /** Nothing can be used now, and the next part of it is not released yet. */
  waits: boolean;
  ordered_at: number;
  valid_until: number;
  package_octets: number | null;
  package_sha256: string | null;
  storage_proof: string | null;
  hold: string | null;
  as_of: number | null;
  /** The first figures of its use that this device has seen: the pace is counted from there. */
  seen: { at: number; used_octets: number } | null;
}

export interface Account {
  user_id: string;
  phone_number: string | null;
  email: string | null;
  phone_verified: boolean;
  created_at: string;
}
/** A place with free WiFi, in the operator's words. */
export interface Venue {
  name: string;
  area: string;
  hours: string;
}
export interface Offer {
  id: string;
  title: string;
  allowance_octets: number | null;
  price_kobo: number;
  valid_days: number;
}
export interface Environment {
  mode: "embedded" | "own-core" | "resold";
  public_origin: string;
  lab_origin: string | null;
  passkey_rp_id: string | null;
  identifier_proof: boolean;
  provable_identifiers: ("phone_number" | "email")[];
  stored_session_starts: boolean;
  login_cookie: boolean;
  support?: { whatsapp: string | null; phone: string | null; email: string | null };
}

/** A package on this device; ``octets`` may still be only its beginning. */
export interface StoredPackage {
  session_id: string;
  octets: Uint8Array<ArrayBuffer>;
  etag: string | null;
  complete: boolean;
}

export interface ManifestChunk {
  name: string;
  offset: number;
  octets: number;
  sha256: string;
  raw_octets: number;
}
export interface Manifest {
  session_id: string;
  offer_id: string;
  allowance_octets: number | null;
  valid_from: number;
  valid_until: number;
  iccid?: string;
  size: number;
  chunks: ManifestChunk[];
}
export interface Activation {
  activation_code: string;
  qr_code_svg: string;
  manual_setup: { smdp_address: string; activation_code: string; apn: string; user_name: string; password: string };
}
export interface VerifiedPackage {
  manifest: Manifest;
  kid: string;
  /** null for a data provider's line. */
  activation: Activation | null;
  terms: string;
}

/** Something the person wants done: sent until it is answered, always with the same key. */
export interface Action {
  key: string;
  kind: string;
  path: string;
  body: unknown;
  session_id: string | null;
  since: number;
}

export interface Road {
  session_id: string;
  paused: boolean;
}
export interface Progress {
  stage: "prepare" | "download" | "verify" | "transfer" | "install" | "ready";
  received: number;
  total: number | null;
  running: boolean;
  /** Another tab walks this road. */
  elsewhere?: boolean;
  problem: string | null;
}
export interface Activity {
  at: number;
  session_id: string;
  what: string;
  reason?: string | null;
  sequence: string;
}
export interface Preferences {
  theme: "system" | "dark" | "light";
  language: "" | "en" | "pcm";
  low_data: boolean;
  alerts: boolean;
}
export interface Toast {
  id: number;
  text: string;
  about: string;
  action?: { label: string; run: () => void };
}
export interface PhoneStatus {
  wifi: boolean;
  line: boolean;
  attached: boolean;
  access: string;
  profiles: { iccid: string; enabled: boolean; name: string }[];
  records: string[];
  home: string;
  eid: string;
  pdn_address: string | null;
  reason: string;
}
/** The seven-day pass, and what holds for passes. */
export interface Pass {
  active: boolean;
  ends_at: string | null;
  rules: { fair_use_octets: number | null; sessions_at_once: number; payments: "live" | "sandbox" | "off" };
}
export interface FreeRefusal {
  code: string;
  words: string;
  do: string;
  facts: Record<string, unknown>;
}
/** What is left of the free data, where the server tells it. */
/** What the operator has to tell now. */
export interface Notice {
  kind: "incident" | "frozen" | "move" | "held" | "caller_code";
  words: string;
  code: string | null;
  at: string | null;
}

export interface FreeAllowance {
  octets: number;
  days: number;
  left_octets: number;
}
/** The records on a card, the order of use as the ledger has confirmed it, and what was asked for last. */
export interface CardContents {
  records: { record_number: number; session_id: string; state: SessionState; place: number; proved: boolean; failure: string | null }[];
  order: string[];
  active_session_id: string | null;
  continue_with_next: boolean;
  wants_order: string[];
  wants_next: boolean;
  packets_waiting: number;
}
/** An order that is sent with the same key until it is answered. */
export interface Ordering {
  offer_id: string;
  key: string;
  new_esim: boolean;
  since: number;
}
