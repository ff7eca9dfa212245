// The first that is found counts: browsers name those that they are made of, too.
const browsers: readonly (readonly [string, RegExp])[] = [
  ["Edge", /\bEdg(?:A|iOS)?\//],
  ["Opera", /\bOPR\//],
  ["Samsung Internet", /\bSamsungBrowser\//],
  ["Firefox", /\b(?:Firefox|FxiOS)\//],
  ["Chrome", /\b(?:Chrome|CriOS|HeadlessChrome)\//],
  ["Safari", /\bSafari\//],
  ["curl", /^curl\//],
];

const systems: readonly (readonly [string, RegExp])[] = [
  ["iPhone", /\biPhone\b/],
  ["iPad", /\biPad\b/],
  ["Android", /\bAndroid\b/],
  ["ChromeOS", /\bCrOS\b/],
  ["Windows", /\bWindows\b/],
  ["macOS", /\bMacintosh\b/],
  ["Linux", /\bLinux\b/],
];

export interface Device {
  browser: string | undefined;
  system: string | undefined;
  phone: boolean;
}

/** What a User-Agent tells people. */
export function deviceOf(userAgent: string): Device {
  const find = (among: typeof browsers) => among.find(([, mark]) => mark.test(userAgent))?.[0];
  return {
    browser: find(browsers),
    system: find(systems),
    phone: /\b(?:iPhone|Mobile)\b/.test(userAgent),
  };
}
