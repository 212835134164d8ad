// How series of measurements are summed up.

const sorted = (values) => [...values].sort((a, b) => a - b);
export const median = (values) => {
  const s = sorted(values), half = s.length >> 1;
  return s.length % 2 ? s[half] : (s[half - 1] + s[half]) / 2;
};
// "median (least to most)"
export const show = (values, digits = 2) => {
  const s = sorted(values);
  return `${median(s).toFixed(digits)} (${s[0].toFixed(digits)} to ${s.at(-1).toFixed(digits)})`;
};
