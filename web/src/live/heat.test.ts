import { describe, expect, it } from 'vitest';
import { edges, Heat, type Palette } from './heat.ts';

const palette: Palette = {
  ground: [0, 0, 0],
  resident: [10, 20, 30],
  used: [0, 255, 0],
  read: [255, 0, 0],
};

describe('Heat', () => {
  it('counts and lights what an event tells', () => {
    const heat = new Heat(2, 2);
    const states = Uint8Array.of(0, 1, 1 | 4, 1 | 2 | 4);
    expect(heat.take({ layers: 2, perLayer: 2, states })).toEqual({
      resident: 3,
      read: 1,
      used: 2,
    });
    const colours = [0, 1, 2, 3].map((cell) => heat.colour(cell, palette));
    expect(colours).toEqual([0xff000000, 0xff1e140a, 0xff00ff00, 0xff0000ff]); // ABGR
  });

  it('cools until nothing glows', () => {
    const heat = new Heat(1, 1);
    heat.take({ layers: 1, perLayer: 1, states: Uint8Array.of(7) });
    expect(heat.fade(0.1)).toBe(true);
    expect(heat.fade(20)).toBe(false);
    expect(heat.colour(0, palette)).toBe(0xff1e140a);
  });

  it('shows what was read or what was used, not a mixture', () => {
    const heat = new Heat(1, 1);
    const event = (state: number) =>
      heat.take({ layers: 1, perLayer: 1, states: Uint8Array.of(state) });
    const green = () => (heat.colour(0, palette) >> 8) & 0xff;
    event(7);
    heat.fade(0.3);
    expect(green()).toBeLessThanOrEqual(palette.resident[1]); // read: on the way from red
    event(5);
    expect(heat.colour(0, palette)).toBe(0xff00ff00); // used again
  });

  it('shows the last event alone when it settles', () => {
    const heat = new Heat(1, 2);
    heat.take({ layers: 1, perLayer: 2, states: Uint8Array.of(7, 0) });
    heat.take({ layers: 1, perLayer: 2, states: Uint8Array.of(1, 0) });
    heat.settle();
    expect(heat.colour(0, palette)).toBe(0xff1e140a);
  });
});

describe('edges', () => {
  it('covers all pixels and gives each cell at least one', () => {
    for (const [count, size] of [
      [60, 344],
      [512, 512],
      [7, 100],
    ] as const) {
      const found = edges(count, size);
      expect([found[0], found[count]]).toEqual([0, size]);
      for (let i = 0; i < count; ++i) expect(found[i + 1]! - found[i]!).toBeGreaterThan(0);
    }
  });
});
