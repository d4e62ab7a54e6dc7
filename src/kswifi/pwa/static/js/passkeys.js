// Passkeys: made and used by the browser itself (WebAuthn), where the device has an authenticator of its own.

import { change } from "./api.js";
import { computed, signal } from "./state.js";
import { environment } from "./store.js";

const device = signal(false);
if ("parseCreationOptionsFromJSON" in (window.PublicKeyCredential ?? {}))
  PublicKeyCredential.isUserVerifyingPlatformAuthenticatorAvailable().then(
    (has) => (device.value = has),
    () => {},
  );

/** Whether this device can have passkeys of ours: they belong to a host name. */
export const passkeysHere = computed(() => {
  const name = environment.value?.passkey_rp_id;
  return Boolean(name) && device.value && (location.hostname === name || location.hostname.endsWith(`.${name}`));
});

/** Whether it only was the person who changed their mind. @param {unknown} error */
export const isChangeOfMind = (error) => error instanceof DOMException && ["NotAllowedError", "AbortError"].includes(error.name);

/**
 * Have the device make a passkey.
 * @param {string} path where its options are asked for @param {unknown} [body]
 */
export async function makePasskey(path, body) {
  const { challenge_id, options } = await change(path, body);
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options);
  return { challenge_id, credential: /** @type {any} */ (await navigator.credentials.create({ publicKey })).toJSON() };
}

/** Have the device show a passkey of ours. */
export async function usePasskey() {
  const { challenge_id, options } = await change("/api/v1/logins/passkey-options");
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
  return { challenge_id, credential: /** @type {any} */ (await navigator.credentials.get({ publicKey })).toJSON() };
}
