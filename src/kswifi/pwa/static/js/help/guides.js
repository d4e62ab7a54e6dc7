// How to install an eSIM by maker of phone, in both languages. Fetched when a user opens it.
const CODE = "LPA:1$…";

/** Tecno (HiOS), Infinix (XOS) and itel (itel OS) have the same menus. */
const TRANSSION = {
  en: [
    "Open Settings, then Mobile network (SIM cards on some models)",
    "Press Add eSIM, or Download SIM instead",
    `Scan the QR code; or press Enter code, and paste the whole code that begins with ${CODE}`,
    "Confirm, and wait on WiFi until it says Added",
    "Name the line KSWiFi",
  ],
  pcm: [
    "Open Settings, then Mobile network (SIM cards for some models)",
    "Press Add eSIM, or Download SIM instead",
    `Scan the QR code; or press Enter code, paste the whole code wey start with ${CODE}`,
    "Confirm, wait for WiFi till e show Added",
    "Name the line KSWiFi",
  ],
};

export default {
  en: {
    tecno: TRANSSION.en,
    infinix: TRANSSION.en,
    itel: TRANSSION.en,
    samsung: [
      "Open Settings, then Connections, then SIM manager",
      "Press Add eSIM",
      `Press Scan QR code; or Enter activation code, and paste the whole code that begins with ${CODE}`,
      "Press Add, and wait on WiFi",
      "Turn KSWiFi on in SIM manager",
    ],
    xiaomi: [
      "Open Settings, then SIM cards & mobile networks",
      "Press Manage eSIM, then Add eSIM",
      `Scan the QR code; or press Enter manually, and paste the whole code that begins with ${CODE}`,
      "Confirm, and wait on WiFi",
      "Use eSIM instead of SIM 2 where the phone asks",
    ],
    iphone: [
      "Open Settings, then Mobile Service",
      "Press Add eSIM, then Use QR Code",
      "Scan it; or press Enter Details Manually, and copy SM-DP+ address and matching ID",
      "Press Add Mobile Plan, and wait on WiFi",
      "Label the line KSWiFi",
    ],
  },
  pcm: {
    tecno: TRANSSION.pcm,
    infinix: TRANSSION.pcm,
    itel: TRANSSION.pcm,
    samsung: [
      "Open Settings, then Connections, then SIM manager",
      "Press Add eSIM",
      `Press Scan QR code; or Enter activation code, paste the whole code wey start with ${CODE}`,
      "Press Add, wait for WiFi",
      "On KSWiFi for SIM manager",
    ],
    xiaomi: [
      "Open Settings, then SIM cards & mobile networks",
      "Press Manage eSIM, then Add eSIM",
      `Scan the QR code; or press Enter manually, paste the whole code wey start with ${CODE}`,
      "Confirm, wait for WiFi",
      "Use eSIM for place of SIM 2 if phone ask",
    ],
    iphone: [
      "Open Settings, then Mobile Service",
      "Press Add eSIM, then Use QR Code",
      "Scan am; or press Enter Details Manually, copy SM-DP+ address and matching ID",
      "Press Add Mobile Plan, wait for WiFi",
      "Name the line KSWiFi",
    ],
  },
  pictures: { samsung: "/app/pictures/samsung.svg", iphone: "/app/pictures/iphone.svg" },
};
