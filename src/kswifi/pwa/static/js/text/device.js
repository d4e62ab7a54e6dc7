// The texts of the screen that asks whether a phone can have an eSIM. They are fetched together with it.
export const en = {
  "device.lead": "KSWiFi needs a phone with eSIM. Look in one of these three ways.",
  "device.settings": "1. Look in Settings",
  "device.android":
    "Open Settings, then Network & internet (or Connections, or SIM & mobile network) | Open SIMs or SIM manager | If you see Add eSIM, this phone can",
  "device.ios": "Open Settings, then Mobile Service | If you see Add eSIM, this iPhone can",
  "device.dial": "2. Dial *#06#",
  "device.dial_lead": "If the screen shows an EID, 32 digits, this phone has an eSIM.",
  "device.dial_button": "Dial *#06#",
  "device.models": "3. Look for your model",
  "device.model": "Model",
  "device.show_models": "Show the list",
  "device.not_listed": "Not in the list. It may still have eSIM: Settings and *#06# know for certain.",
  "device.models_note": "Models sold in some countries have no eSIM. Settings and *#06# know for certain.",
  "device.yes": "Yes, it has eSIM",
  "device.no": "No, it has none",
  "device.yes_lead": "Good: this phone can store sessions.",
  "device.no_lead":
    "Then this phone cannot store KSWiFi sessions, and we will not pretend that it can. Use a phone with eSIM; your account works there too.",
};

export const pcm = {
  "device.lead": "KSWiFi need phone wey get eSIM. Check am with one of these three.",
  "device.settings": "1. Look Settings",
  "device.android":
    "Open Settings, then Network & internet (or Connections, or SIM & mobile network) | Open SIMs or SIM manager | If you see Add eSIM, this phone fit",
  "device.ios": "Open Settings, then Mobile Service | If you see Add eSIM, this iPhone fit",
  "device.dial": "2. Dial *#06#",
  "device.dial_lead": "If the screen show EID, 32 numbers, this phone get eSIM.",
  "device.dial_button": "Dial *#06#",
  "device.models": "3. Look your model",
  "device.model": "Model",
  "device.show_models": "Show the list",
  "device.not_listed": "E no dey the list. E fit still get eSIM: Settings and *#06# sabi am well.",
  "device.models_note": "For some country the model no get eSIM. Settings and *#06# sabi am well.",
  "device.yes": "Yes, e get eSIM",
  "device.no": "No, e no get",
  "device.yes_lead": "E good: this phone fit keep sessions.",
  "device.no_lead":
    "Then this phone no fit keep KSWiFi sessions, and we no go lie. Use phone wey get eSIM; your account go work there too.",
};
