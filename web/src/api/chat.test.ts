import { describe, expect, it } from 'vitest';
import { eventsOf } from './chat.ts';
import { errorText } from './server.ts';

describe('eventsOf', () => {
  it('tells thinking, text and the end apart', () => {
    expect(eventsOf({ choices: [{ delta: { reasoning_content: 'hm', content: 'yes' } }] })).toEqual(
      [
        { kind: 'reasoning', text: 'hm' },
        { kind: 'text', text: 'yes' },
      ],
    );
    expect(eventsOf({ choices: [{ delta: {}, finish_reason: 'length' }] })).toEqual([
      { kind: 'finish', reason: 'length' },
    ]);
  });

  it('reads calls in pieces', () => {
    const tool_calls = [{ index: 1, id: 'a', function: { name: 'f', arguments: '{' } }];
    expect(eventsOf({ choices: [{ delta: { tool_calls } }] })).toEqual([
      { kind: 'call', index: 1, id: 'a', name: 'f', arguments: '{' },
    ]);
  });

  it('reads usage, also without details', () => {
    expect(
      eventsOf({
        choices: [],
        usage: { prompt_tokens: 5, completion_tokens: 2, prompt_tokens_details: null },
      }),
    ).toEqual([{ kind: 'usage', usage: { promptTokens: 5, cachedTokens: 0, answerTokens: 2 } }]);
  });

  it('says nothing for a role or a null', () => {
    expect(eventsOf({ choices: [{ delta: { content: null }, finish_reason: null }] })).toEqual([]);
    expect(eventsOf({ usage: null })).toEqual([]);
  });
});

describe('errorText', () => {
  it('finds the message in the forms that servers use', () => {
    expect(errorText({ error: { message: 'a' } })).toBe('a');
    expect(errorText({ error: 'b' })).toBe('b');
    expect(errorText({ message: 'c' })).toBe('c');
    expect(errorText({ error: {} })).toBeUndefined();
    expect(errorText('text')).toBeUndefined();
  });
});
