// Signals, and the three hooks that the app uses: a changed signal redraws its components. Preact's own packages for this have ten
// times the octets (docs/adr/0014).
import { options } from "preact";

/** @typedef {() => void} Tell */
/** @typedef {{value?: any, set?: any, deps?: unknown[], due?: () => unknown, undo?: unknown}} Slot the data of one hook of a component */
/** @typedef {{setState: (state: {}) => void, slots?: Slot[], tell?: Tell}} Component */
/** @template T @typedef {{value: T, peek: () => T}} Signal `peek` reads without subscribing to changes */
/** @template T @typedef {{readonly value: T, peek: () => T}} ReadonlySignal */

/** The subscriber of each signal that is read now. @type {Tell | null} */
let reader = null;
/** The component that is rendered now, and the number of hooks that it has called. @type {Component} */
let component;
let called = 0;

/** @template T @param {Tell | null} who @param {() => T} work */
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
  /** @type {Set<Tell>} */
  const readers = new Set();
  return {
    get value() {
      if (reader) readers.add(reader);
      return held;
    },
    set value(next) {
      if (next === held) return;
      held = next;
      const subscribers = [...readers];
      // A reader that reads again subscribes again, so that components that left the screen are dropped.
      readers.clear();
      for (const notify of subscribers) notify();
    },
    peek: () => held,
  };
}

/** Derive a value from others. It is computed at each reading, because it costs little. */
/** @template T @param {() => T} work @returns {ReadonlySignal<T>} */
export const computed = (work) => ({
  get value() {
    return work();
  },
  peek: () => readAs(null, work),
});

/** Run now, and again whenever a signal that it read has changed. @param {() => void} work */
export function effect(work) {
  const run = () => void readAs(run, work);
  run();
}

/** Return the data of the hook that is called now. */
function slot() {
  component.slots ??= [];
  const at = called++;
  component.slots[at] ??= {};
  return component.slots[at];
}

/** @template T @param {T} first @returns {[T, (next: T | ((before: T) => T)) => void]} */
export function useState(first) {
  const kept = slot();
  const owner = component;
  if (!kept.set) {
    kept.value = first;
    kept.set = (/** @type {any} */ next) => {
      const value = typeof next === "function" ? next(kept.value) : next;
      if (value === kept.value) return;
      kept.value = value;
      owner.setState({});
    };
  }
  return [kept.value, kept.set];
}

/** @template T @param {T} current @returns {{current: T}} */
export const useRef = (current) => (slot().value ??= { current });

/**
 * Run once the component is on the screen, and again when one of `deps` has changed. The returned function is run before that, and
 * when the component leaves the screen.
 * @param {() => void | (() => void)} work @param {unknown[]} deps
 */
export function useEffect(work, deps) {
  const kept = slot();
  if (kept.deps?.every((one, at) => one === deps[at])) return;
  kept.deps = deps;
  kept.due = work;
}

/** @param {Slot} kept */
const undo = (kept) => typeof kept.undo === "function" && kept.undo();

/** Components whose effects are due, the innermost first. @type {Component[]} */
let waiting = [];
function runEffects() {
  const now = waiting;
  waiting = [];
  for (const kept of now.flatMap((one) => one.slots ?? [])) {
    const { due } = kept;
    if (!due) continue;
    kept.due = undefined;
    undo(kept);
    kept.undo = due();
  }
}

// Preact calls `__r` before it renders a component, `diffed` after it, and `unmount` before it removes the component.
const preact = /** @type {any} */ (options);
preact.__r = (/** @type {{__c: Component}} */ { __c }) => {
  component = __c;
  called = 0;
  reader = __c.tell ??= () => __c.setState({});
};
preact.diffed = (/** @type {{__c?: Component}} */ { __c }) => {
  reader = null;
  if (__c?.slots?.some((one) => one.due) && waiting.push(__c) === 1) setTimeout(runEffects);
};
preact.unmount = (/** @type {{__c?: Component}} */ { __c }) => {
  __c?.slots?.forEach(undo);
  if (__c) __c.slots = undefined;
};
