// Elements and figures. Text is only ever set as text.

export function element(name, attributes, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === true) node.setAttribute(key, "");
    else if (value !== false && value !== "") node.setAttribute(key, value);
  }
  node.append(...children);
  return node;
}

/** Draw a list anew, keeping the keyboard's focus where it was. */
export function drawList(list, items, draw) {
  const focused = list.contains(document.activeElement)
    ? [[...list.children].indexOf(document.activeElement.closest("li")), document.activeElement.textContent]
    : null;
  list.replaceChildren(...items.map((item) => element("li", {}, ...draw(item))));
  if (focused === null) return;
  const buttons = [...(list.children[focused[0]]?.querySelectorAll("button") ?? [])];
  (buttons.find((button) => button.textContent === focused[1]) ?? buttons[0])?.focus();
}

/** Octets for people, cut off and never rounded up: 1 GB is 10^9. */
export function octetsText(octets) {
  for (const [unit, factor] of [["GB", 1e9], ["MB", 1e6], ["kB", 1e3]]) {
    if (octets >= factor) return `${Math.floor((octets * 100) / factor) / 100} ${unit}`;
  }
  return `${octets ?? 0} B`;
}

export function gigabytes(session) {
  return session.allowance_octets === null ? "Unlimited session" : `${octetsText(session.allowance_octets)} session`;
}

/** The ledger's balance in whole octets; what is seldom is named only where there is some. */
export function figures(balance) {
  const shown = Object.entries(balance).filter(
    ([name, octets]) => octets || ["credited", "used", "reserved", "available"].includes(name),
  );
  return shown.map(([name, octets]) => `${name} ${octets.toLocaleString()}`).join(" · ");
}
