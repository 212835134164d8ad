import { describe, expect, it } from 'vitest';
import { parseFrame } from './live.ts';

const state = Buffer.from([0, 1, 3, 5, 7, 4]).toString('base64');
const frame = {
  tokens_per_s: 5.5,
  disk_gbps: 2.1,
  disk_roof_gbps: 3.2,
  hit_rate: 0.8,
  memory: { dense: 1, slots: 2, state: 3, checkpoints: 5, other: 4, resident: 9, budget: 20 },
  context_used: 10,
  running: 1,
  queued: 2,
  experts: { layers: 2, per_layer: 3, state },
};

describe('parseFrame', () => {
  it('reads what the server tells', () => {
    const parsed = parseFrame(JSON.stringify(frame));
    expect(parsed).toMatchObject({ tokensPerS: 5.5, diskGbps: 2.1, hitRate: 0.8, contextLimit: 0 });
    expect(parsed.memory).toMatchObject({ resident: 9, budget: 20 });
    const names = parsed.memory.kinds.map(({ name }) => name);
    expect(names).toEqual(['dense', 'slots', 'state', 'checkpoints', 'other']);
    expect(parsed.experts).toMatchObject({ layers: 2, perLayer: 3 });
    expect([...parsed.experts!.states]).toEqual([0, 1, 3, 5, 7, 4]);
  });

  it('leaves out a map that does not fit its sizes', () => {
    for (const experts of [
      { layers: 3, per_layer: 3, state },
      { layers: 1e9, per_layer: 1e9, state },
      { layers: 2, per_layer: 3 },
      null,
    ]) {
      expect(parseFrame(JSON.stringify({ ...frame, experts })).experts).toBeUndefined();
    }
  });

  it('takes what is missing or odd for nothing', () => {
    expect(parseFrame('{"hit_rate": 7, "tokens_per_s": "fast"}')).toMatchObject({
      tokensPerS: 0,
      hitRate: 1,
      memory: { kinds: [], budget: 0 },
    });
    expect(parseFrame('{"hit_rate": null}').hitRate).toBeNull();
  });
});
