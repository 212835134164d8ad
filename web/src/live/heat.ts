// The map's memory: how recently each expert was read and used, fading with time.
import { kRead, kResident, kUsed, type ExpertStates } from '../api/live';

export type Rgb = readonly [number, number, number];

export interface Palette {
  ground: Rgb;
  resident: Rgb;
  used: Rgb;
  read: Rgb;
}

const kUsedFadeS = 0.7; // time constants: what was read glows longer than what was used
const kReadFadeS = 1.4;
const kCold = 0.02;

export interface ExpertCounts {
  resident: number;
  read: number;
  used: number;
}

export class Heat {
  readonly used: Float32Array;
  readonly read: Float32Array;
  readonly states: Uint8Array;

  constructor(
    readonly layers: number,
    readonly perLayer: number,
  ) {
    this.used = new Float32Array(layers * perLayer);
    this.read = new Float32Array(layers * perLayer);
    this.states = new Uint8Array(layers * perLayer);
  }

  fits({ layers, perLayer }: ExpertStates): boolean {
    return layers === this.layers && perLayer === this.perLayer;
  }

  take({ states }: ExpertStates): ExpertCounts {
    const counts = { resident: 0, read: 0, used: 0 };
    this.states.set(states);
    for (let i = 0; i < states.length; ++i) {
      const state = states[i]!;
      if (state & kResident) ++counts.resident;
      if (state & kRead) {
        ++counts.read;
        this.read[i] = 1;
      }
      if (state & kUsed) {
        ++counts.used;
        this.used[i] = 1;
      }
    }
    return counts;
  }

  /** Cools everything; returns whether anything still glows. */
  fade(seconds: number): boolean {
    const usedLeft = Math.exp(-seconds / kUsedFadeS);
    const readLeft = Math.exp(-seconds / kReadFadeS);
    let glows = false;
    for (let i = 0; i < this.used.length; ++i) {
      this.used[i]! *= usedLeft;
      this.read[i]! *= readLeft;
      glows ||= this.used[i]! > kCold || this.read[i]! > kCold;
    }
    return glows;
  }

  /** Without motion: only what the last event said. */
  settle(): void {
    for (let i = 0; i < this.states.length; ++i) {
      this.used[i] = this.states[i]! & kUsed ? 1 : 0;
      this.read[i] = this.states[i]! & kRead ? 1 : 0;
    }
  }

  colour(cell: number, palette: Palette): number {
    const base = this.states[cell]! & kResident ? palette.resident : palette.ground;
    return packed(base, palette, this.used[cell]!, this.read[cell]!);
  }
}

// What glows more is seen, and alone: amber and teal together would make a colour that means nothing.
// Of two that glow alike, what was read: here the disk is the story.
function packed(base: Rgb, { used, read }: Palette, usedHeat: number, readHeat: number): number {
  const isRead = readHeat >= usedHeat;
  const glow = isRead ? read : used;
  const heat = isRead ? readHeat : usedHeat;
  let colour = 0xff;
  for (let channel = 2; channel >= 0; --channel) {
    colour = (colour << 8) | Math.round(base[channel]! + (glow[channel]! - base[channel]!) * heat);
  }
  return colour >>> 0; // little-endian RGBA
}

/** Where `count` cells start on `size` pixels: edges[i] to edges[i + 1]. */
export function edges(count: number, size: number): Int32Array {
  return Int32Array.from({ length: count + 1 }, (_, i) => Math.round((i * size) / count));
}
