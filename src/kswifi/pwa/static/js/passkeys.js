// Passkeys (WebAuthn), on devices with a built-in authenticator.

import { change } from "./api.js";
import { computed, signal } from "./state.js";
import { environment } from "./store.js";

const device = signal(false);
if ("parseCreationOptionsFromJSON" in (window.PublicKeyCredential ?? {}))
  PublicKeyCredential.isUserVerifyingPlatformAuthenticatorAvailable().then(
    (has) => (device.value = has),
    () => {},
  );

/** Whether this device can have passkeys for this server. Passkeys belong to a host name. */
export const passkeysHere = computed(() => {
  const name = environment.value?.passkey_rp_id;
  return Boolean(name) && device.value && (location.hostname === name || location.hostname.endsWith(`.${name}`));
});

/** Whether the user cancelled the browser's dialog. @param {unknown} error */
export const isChangeOfMind = (error) => error instanceof DOMException && ["NotAllowedError", "AbortError"].includes(error.name);

/**
 * Make a passkey on the device.
 * @param {string} path from which its options are requested @param {unknown} [body]
 */
export async function makePasskey(path, body) {
  const { challenge_id, options } = await change(path, body);
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options);
  return { challenge_id, credential: /** @type {any} */ (await navigator.credentials.create({ publicKey })).toJSON() };
}

/** Sign a challenge with a passkey of this device. */
export async function usePasskey() {
  const { challenge_id, options } = await change("/api/v1/logins/passkey-options");
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
  return { challenge_id, credential: /** @type {any} */ (await navigator.credentials.get({ publicKey })).toJSON() };
}
