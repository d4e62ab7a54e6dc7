// All words of the app come through t(); the texts themselves are in text/<language>.js.
import { signal } from "./signals.js";
import en from "./text/en.js";

/** @type {import("./signals.js").Signal<Record<string, string>>} */
const texts = signal(en);
export const language = signal("en");

/**
 * @param {string} key
 * @param {Record<string, string | number>} [values] put in where the text says {name}
 * @returns {string}
 */
export function t(key, values) {
  const text = texts.value[key] ?? /** @type {Record<string, string>} */ (en)[key];
  if (text === undefined) throw new Error(`no text ${key}`);
  return values ? text.replace(/\{(\w+)\}/g, (_, name) => String(values[name])) : text;
}

/** Put further texts beside these. @param {Record<string, Record<string, string>>} more by language */
export const add = (more) => void (texts.value = { ...texts.value, ...more.en, ...more[language.value] });

/** @param {string} wanted "en", "pcm", or "" for what the device speaks */
export async function speak(wanted) {
  const code = wanted || (navigator.languages.some((one) => /^pcm\b/i.test(one)) ? "pcm" : "en");
  const said = code === "pcm" ? (await import("./text/pcm.js")).default : en;
  // On the way here a second language loses its keys: they are those of English, in the same order.
  const values = Object.values(said);
  texts.value = Object.fromEntries(Object.keys(en).map((key, at) => [key, values[at]]));
  language.value = code;
  document.documentElement.lang = code;
}
