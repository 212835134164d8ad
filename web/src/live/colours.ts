// Colours of the style sheet, for what is drawn on a canvas.
import type { Rgb } from './heat';

export function cssColour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

export function rgb(name: string): Rgb {
  const hex = Number.parseInt(cssColour(name).slice(1), 16);
  return [hex >> 16, (hex >> 8) & 0xff, hex & 0xff];
}
