// The words of the lab phone, apart: no user's device needs to keep them.
export const en = {
  "lab.title": "The lab phone", "lab.lead": "A whole phone on this page: its card, its modem and its sockets are real, and the network meters it.", "lab.to_app": "To the app",
  "lab.on": "on", "lab.off": "off", "lab.line": "Line", "lab.access.full": "on: the whole internet", "lab.access.control_only": "on: only KSWiFi", "lab.access.ended": "ended by the network", "lab.access.detached": "off",
  "lab.told": "Notifications", "lab.address": "Address to visit with the lab phone", "lab.visit": "Go", "lab.pane": "What the lab phone fetched", "lab.visited": "Answer {status}: {size} came {way}.", "lab.visited_cut": "Cut off by the network after {size} {way}.", "lab.over_wifi": "over WiFi", "lab.over_line": "over the line",
  "lab.speed": "Speed test", "lab.fetched": "{size} fetched by the phone", "lab.stop": "Stop", "lab.all": "Until the cut", "lab.cut": "The network has cut it off.",
  "lab.session": "The session in use", "lab.card": "What the card reports", "lab.place": "Place {n} in the order of use", "lab.enabled": "ENABLED", "lab.enable": "Use it", "lab.texts": "Text messages", "lab.texts_lead": "in the lab's outbox, sent to nobody", "lab.empty": "No profile on the card yet.", "lab.octets": "The record: {n} bytes", "lab.sign_in": "Sign in to see your session beside the phone.",
};

export const pcm = {
  "lab.title": "The lab phone", "lab.lead": "One whole phone for this page: the card, the modem and the sockets real, and network dey count am.", "lab.to_app": "Go the app",
  "lab.on": "on", "lab.off": "off", "lab.line": "Line", "lab.access.full": "on: all the internet", "lab.access.control_only": "on: only KSWiFi", "lab.access.ended": "network don end am", "lab.access.detached": "off",
  "lab.told": "Notifications", "lab.address": "Address wey the lab phone go visit", "lab.visit": "Go", "lab.pane": "Wetin the lab phone fetch", "lab.visited": "Answer {status}: {size} land {way}.", "lab.visited_cut": "Network cut am after {size} {way}.", "lab.over_wifi": "through WiFi", "lab.over_line": "through the line",
  "lab.speed": "Speed test", "lab.fetched": "the phone don fetch {size}", "lab.stop": "Stop", "lab.all": "Till dem cut am", "lab.cut": "Network don cut am.",
  "lab.session": "The session wey dey work", "lab.card": "Wetin the card talk", "lab.place": "Place {n} for the order", "lab.enabled": "E DEY ON", "lab.enable": "Use am", "lab.texts": "Text messages", "lab.texts_lead": "for the lab outbox, nobody else see am", "lab.empty": "No profile dey the card yet.", "lab.octets": "The record: {n} bytes", "lab.sign_in": "Sign in make you see your session near the phone.",
};
