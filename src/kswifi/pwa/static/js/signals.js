// Values that are watched: what reads one while it is drawn is drawn anew when that changes. What Preact's own
// signals do for this app in a tenth of their size (docs/adr/0014).
import { options } from "preact";

/** @typedef {(() => void) | {setState: (state: {}) => void}} Reader an effect, or a component */
/** @template T @typedef {{value: T, peek: () => T}} Signal `peek` reads without being told of changes */
/** @template T @typedef {{readonly value: T, peek: () => T}} ReadonlySignal */

/** What is drawn or worked out at this moment. @type {Reader | null} */
let reader = null;

/** @template T @param {Reader | null} who @param {() => T} work */
function readAs(who, work) {
  const outer = reader;
  reader = who;
  try {
    return work();
  } finally {
    reader = outer;
  }
}

/** @template T @param {T} first @returns {Signal<T>} */
export function signal(first) {
  let held = first;
  /** @type {Set<Reader>} */
  const readers = new Set();
  return {
    get value() {
      if (reader) readers.add(reader);
      return held;
    },
    set value(next) {
      if (next === held) return;
      held = next;
      const told = [...readers];
      // Who reads it again is told again: what is no longer on the screen drops out by itself.
      readers.clear();
      for (const one of told) typeof one === "function" ? one() : one.setState({});
    },
    peek: () => held,
  };
}

/** A value that follows from others; it costs little to work out, so that nothing is kept. */
/** @template T @param {() => T} work @returns {ReadonlySignal<T>} */
export const computed = (work) => ({
  get value() {
    return work();
  },
  peek: () => readAs(null, work),
});

/** Do something now, and again whenever what it read has changed. @param {() => void} work */
export function effect(work) {
  const run = () => void readAs(run, work);
  run();
}

// Preact tells before it draws a component (`__r`) and when that is done (`diffed`); its hooks use the same two.
const preact = /** @type {any} */ (options);
const { __r, diffed } = preact;
preact.__r = (/** @type {any} */ vnode) => {
  __r?.(vnode);
  reader = vnode.__c;
};
preact.diffed = (/** @type {any} */ vnode) => {
  diffed?.(vnode);
  reader = null;
};
