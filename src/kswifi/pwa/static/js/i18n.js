// All words of the app come through t(); the texts themselves are in text/<language>.js.
import { signal } from "./state.js";
import en from "./text/en.js";

/** Texts as they are written down: `group.` on a line of its own, then its keys, each with its text. @param {string} lines */
function parse(lines) {
  /** @type {Record<string, string>} */
  const found = {};
  let group = "";
  for (const line of lines.trim().split(/\s*\n\s*/)) {
    const at = line.indexOf(" ");
    if (at < 0) group = line;
    else found[group + line.slice(0, at)] = line.slice(at + 1);
  }
  return found;
}

const english = parse(en);
const texts = signal(english);
export const language = signal("en");

/**
 * @param {string} key
 * @param {Record<string, string | number>} [values] put in where the text says {name}
 * @returns {string}
 */
export function t(key, values) {
  const text = texts.value[key] ?? english[key];
  if (text === undefined) throw new Error(`no text ${key}`);
  return values ? text.replace(/\{(\w+)\}/g, (_, name) => String(values[name])) : text;
}

/** Put further texts beside these. @param {Record<string, Record<string, string>>} more by language */
export const add = (more) => {
  texts.value = { ...texts.value, ...more.en, ...more[language.value] };
};

/** @param {string} wanted "en", "pcm", or "" for what the device speaks */
export async function speak(wanted) {
  const code = wanted || (navigator.languages.some((one) => /^pcm\b/i.test(one)) ? "pcm" : "en");
  /** @type {string | string[]} */
  const said = code === "pcm" ? (await import("./text/pcm.js")).default : en;
  // On the way here a second language loses its keys: they are those of English, in the same order.
  const values = Array.isArray(said) ? said[0].trim().split("\n") : Object.values(parse(said));
  texts.value = Object.fromEntries(Object.keys(english).map((key, at) => [key, values[at]]));
  language.value = code;
  document.documentElement.lang = code;
}
