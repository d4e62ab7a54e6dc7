// Return the texts of the app in the user's language. The texts are in text/<language>.js.
import { signal } from "./state.js";
import en from "./text/en.js";

/** Parse a file of texts: `group.` on a line of its own, then a line for each key with its text. @param {string} lines */
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

/** Texts that came with a screen fetched on demand. @type {Set<Record<string, Record<string, string>>>} */
const further = new Set();
const ofFurther = () => Object.assign({}, ...[...further].flatMap((more) => [more.en, more[language.peek()]]));

/** Add the texts of a screen that is fetched on demand. @param {Record<string, Record<string, string>>} more by language */
export function add(more) {
  further.add(more);
  texts.value = { ...texts.value, ...ofFurther() };
}

/**
 * Change the language. Where a second language cannot be fetched, the app stays in English.
 * @param {string} wanted "en", "pcm", or "" for the language of the device
 */
export async function speak(wanted) {
  const pidgin = wanted ? wanted === "pcm" : navigator.languages.some((one) => /^pcm\b/i.test(one));
  /** @type {string[] | null} */
  const sent = pidgin
    ? await import("./text/pcm.js").then(
        (module) => /** @type {any} */ (module).default,
        () => null,
      )
    : null;
  // The server sends a second language without its keys, which are those of English in the same order. Unchanged sources have keys.
  const values = Array.isArray(sent) ? sent[0].trim().split("\n") : Object.values(parse(sent ?? en));
  language.value = sent ? "pcm" : "en";
  texts.value = { ...Object.fromEntries(Object.keys(english).map((key, at) => [key, values[at]])), ...ofFurther() };
  document.documentElement.lang = language.peek();
}
