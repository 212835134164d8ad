import { describe, expect, it } from 'vitest';
import type { ChatEvent } from '../api/chat.ts';
import { type AnswerClock, applyEvent, applyTiming, figuresOf } from './answer.ts';
import type { Turn } from './conversation.ts';

function answered(events: [number, ChatEvent][]): Turn {
  const turn: Turn = { id: 'a', parent: null, role: 'assistant', text: '', time: 0 };
  const clock: AnswerClock = { started: 0 };
  for (const [now, event] of events) applyEvent(turn, event, clock, now);
  applyTiming(turn, clock);
  return turn;
}

describe('an answer', () => {
  it('gathers thinking, then text, without the line breaks between them', () => {
    const turn = answered([
      [100, { kind: 'reasoning', text: 'let me ' }],
      [400, { kind: 'reasoning', text: 'see' }],
      [500, { kind: 'text', text: '\n\n' }],
      [600, { kind: 'text', text: 'Yes, ' }],
      [700, { kind: 'text', text: 'it is.' }],
      [700, { kind: 'finish', reason: 'stop' }],
    ]);
    expect(turn).toMatchObject({ reasoning: 'let me see', reasoningMs: 300, text: 'Yes, it is.' });
    expect(turn).toMatchObject({ ended: 'stop', timing: { firstTokenMs: 100, answerMs: 600 } });
  });

  it('gathers calls that arrive in pieces and in parallel', () => {
    const turn = answered([
      [1, { kind: 'call', index: 0, id: 'x', name: 'f', arguments: '{"a"' }],
      [2, { kind: 'call', index: 1, id: 'y', name: 'g', arguments: '' }],
      [3, { kind: 'call', index: 0, arguments: ': 1}' }],
      [4, { kind: 'finish', reason: 'tool_calls' }],
    ]);
    expect(turn.calls).toEqual([
      { id: 'x', name: 'f', arguments: '{"a": 1}' },
      { id: 'y', name: 'g', arguments: '' },
    ]);
    expect(turn.ended).toBe('tool_calls');
  });

  it('is not led astray by a huge index', () => {
    const turn = answered([[1, { kind: 'call', index: 1e9, name: 'f' }]]);
    expect(turn.calls!.length).toBeLessThanOrEqual(128);
  });
});

describe('figuresOf', () => {
  it('tells tokens, speed, the wait, and what was reused', () => {
    const turn = answered([
      [800, { kind: 'text', text: 'a' }],
      [2800, { kind: 'text', text: 'b' }],
      [
        2800,
        { kind: 'usage', usage: { promptTokens: 4031, cachedTokens: 3968, answerTokens: 11 } },
      ],
    ]);
    expect(figuresOf(turn)).toEqual([
      '11 tokens',
      '5.0 tokens/s',
      'first after 800 ms',
      '3,968 of 4,031 prompt tokens reused',
    ]);
  });

  it('says nothing of what it does not know', () => {
    expect(figuresOf(answered([]))).toEqual([]);
  });
});
