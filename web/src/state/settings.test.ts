import { describe, expect, it } from 'vitest';
import { mergeSettings, parseTools, requestFields } from './settings.svelte.ts';

describe('requestFields', () => {
  it('sends nothing that was not chosen', () => {
    expect(requestFields(mergeSettings(null))).toEqual({});
  });

  it('sends what was', () => {
    const settings = mergeSettings({
      model: 'm',
      thinking: 'off',
      sampling: { temperature: 0, top_k: 20, seed: null },
      tools: '[{"type": "function", "function": {"name": "f"}}]',
    });
    expect(requestFields(settings)).toEqual({
      model: 'm',
      temperature: 0,
      top_k: 20,
      chat_template_kwargs: { enable_thinking: false },
      tools: [{ type: 'function', function: { name: 'f' } }],
    });
  });
});

describe('mergeSettings', () => {
  it('takes only what fits', () => {
    const merged = mergeSettings({ theme: 7, system: 'x', strange: 1, sampling: { seed: 'y' } });
    expect(merged).toMatchObject({ theme: 'system', system: 'x', sampling: { seed: null } });
    expect(merged).not.toHaveProperty('strange');
    expect(mergeSettings('nonsense')).toEqual(mergeSettings(null));
  });
});

describe('parseTools', () => {
  it('says what is wrong', () => {
    expect(parseTools('[').error).toMatch(/not JSON/);
    expect(parseTools('{}').error).toMatch(/array/);
    expect(parseTools('[{"function": {}}]').error).toMatch(/Tool 1/);
    expect(parseTools('  ')).toEqual({});
    expect(parseTools('[]')).toEqual({});
  });
});
