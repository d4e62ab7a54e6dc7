// Phones whose makers name eSIM among their features, as maker and model; fetched when a user asks for it. The list is no
// proof: models that are sold in some countries have no eSIM. The settings and *#06# show it for certain.
const MODELS = {
  Apple: `iPhone XS, iPhone XS Max, iPhone XR, iPhone 11, iPhone 11 Pro, iPhone 11 Pro Max, iPhone SE (2020), iPhone 12, iPhone 12
    mini, iPhone 12 Pro, iPhone 12 Pro Max, iPhone 13, iPhone 13 mini, iPhone 13 Pro, iPhone 13 Pro Max, iPhone SE (2022),
    iPhone 14, iPhone 14 Plus, iPhone 14 Pro, iPhone 14 Pro Max, iPhone 15, iPhone 15 Plus, iPhone 15 Pro, iPhone 15 Pro
    Max, iPhone 16, iPhone 16 Plus, iPhone 16 Pro, iPhone 16 Pro Max, iPhone 16e`,
  Samsung: `Galaxy S20, Galaxy S20+, Galaxy S20 Ultra, Galaxy S21, Galaxy S21+, Galaxy S21 Ultra, Galaxy S22, Galaxy S22+, Galaxy
    S22 Ultra, Galaxy S23, Galaxy S23+, Galaxy S23 Ultra, Galaxy S23 FE, Galaxy S24, Galaxy S24+, Galaxy S24 Ultra, Galaxy
    S24 FE, Galaxy S25, Galaxy S25+, Galaxy S25 Ultra, Galaxy Note20, Galaxy Note20 Ultra, Galaxy A35 5G, Galaxy A54 5G,
    Galaxy A55 5G, Galaxy Z Flip, Galaxy Z Flip3, Galaxy Z Flip4, Galaxy Z Flip5, Galaxy Z Flip6, Galaxy Fold, Galaxy Z
    Fold2, Galaxy Z Fold3, Galaxy Z Fold4, Galaxy Z Fold5, Galaxy Z Fold6`,
  Google: `Pixel 3a, Pixel 4, Pixel 4a, Pixel 5, Pixel 5a, Pixel 6, Pixel 6a, Pixel 6 Pro, Pixel 7, Pixel 7a, Pixel 7 Pro, Pixel 8,
    Pixel 8a, Pixel 8 Pro, Pixel 9, Pixel 9a, Pixel 9 Pro, Pixel 9 Pro XL, Pixel Fold`,
  Xiaomi: `12T Pro, 13, 13 Lite, 13 Pro, 13T, 13T Pro, 14, 14 Ultra, 14T, 14T Pro, Redmi Note 13 Pro 5G, Redmi Note 13 Pro+ 5G,
    Redmi Note 14 Pro 5G, Redmi Note 14 Pro+ 5G`,
  Tecno: "Phantom V Fold, Phantom V Fold2, Phantom V Flip2",
  Motorola: `Razr 2019, Razr 5G, Razr 40, Razr 40 Ultra, Edge 40, Edge 40 Pro, Edge 50 Pro, Edge 50 Ultra, Moto G54 5G`,
  Huawei: "P40, P40 Pro",
  Oppo: "Find X3 Pro, Find X5, Find X5 Pro, Find X8, Find N2 Flip, Reno 5A",
  OnePlus: "11, 12, 13, Open",
  Honor: "Magic4 Pro, Magic5 Pro, Magic6 Pro, 90, 200, 200 Pro",
  Nokia: "G60 5G, X30 5G, XR21",
  Sony: "Xperia 1 IV, Xperia 1 V, Xperia 5 IV, Xperia 5 V, Xperia 10 III Lite, Xperia 10 IV, Xperia 10 V",
};

/** @type {[string, string][]} */
export default Object.entries(MODELS).flatMap(([maker, models]) =>
  models.split(/,\s+/).map((model) => /** @type {[string, string]} */ ([maker, model])),
);
