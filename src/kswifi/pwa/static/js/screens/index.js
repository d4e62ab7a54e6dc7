// The screens by their names in the address. All but the first are fetched when they are first shown.
/** @type {Record<string, () => Promise<{default: any}>>} */
export const SCREENS = {
  home: () => import("./home.js"),
  free: () => import("./free.js"),
  choose: () => import("./choose.js"),
  progress: () => import("./progress.js"),
  activate: () => import("./activate.js"),
  session: () => import("./session.js"),
  pass: () => import("./pass.js"),
  esim: () => import("./esim.js"),
  account: () => import("./account.js"),
  settings: () => import("./settings.js"),
  help: () => import("./help.js"),
  venues: () => import("./venues.js"),
  device: () => import("./device.js"),
  security: () => import("./security.js"),
  gift: () => import("./gift.js"),
  gifts: () => import("./gifts.js"),
  move: () => import("./move.js"),
  standing: () => import("./standing.js"),
  usage: () => import("./usage.js"),
  line: () => import("./line.js"),
};
