// Fills a turn with the events of a streamed answer.
import type { ChatEvent } from '../api/chat';
import type { Turn } from './conversation';
import { newId } from './conversation';

export interface AnswerClock {
  started: number;
  firstToken?: number;
  lastToken?: number;
  reasoningEnded?: number;
}

function applyCall(turn: Turn, event: Extract<ChatEvent, { kind: 'call' }>): void {
  turn.calls ??= [];
  while (turn.calls.length <= event.index && turn.calls.length < 128) {
    turn.calls.push({ id: `call_${newId()}`, name: '', arguments: '' });
  }
  const call = turn.calls[event.index];
  if (call === undefined) return;
  if (event.id) call.id = event.id;
  if (event.name) call.name = event.name;
  call.arguments += event.arguments ?? '';
}

export function applyEvent(turn: Turn, event: ChatEvent, clock: AnswerClock, now: number): void {
  if (event.kind === 'usage') {
    turn.usage = event.usage;
    return;
  }
  if (event.kind === 'finish') {
    turn.ended = event.reason === 'length' || event.reason === 'tool_calls' ? event.reason : 'stop';
    return;
  }
  clock.firstToken ??= now;
  clock.lastToken = now;
  if (event.kind === 'reasoning') {
    turn.reasoning = (turn.reasoning ?? '') + event.text;
    turn.reasoningMs = now - clock.firstToken;
    return;
  }
  // Models put line breaks between their thinking and their answer.
  if (event.kind === 'text') {
    turn.text = turn.text === '' ? event.text.replace(/^(\s*\n)+/, '') : turn.text + event.text;
  }
  if (event.kind === 'call') applyCall(turn, event);
}

/** Times of the whole answer, once it has ended. */
export function applyTiming(turn: Turn, clock: AnswerClock): void {
  if (clock.firstToken === undefined || clock.lastToken === undefined) return;
  turn.timing = {
    firstTokenMs: clock.firstToken - clock.started,
    answerMs: clock.lastToken - clock.firstToken,
  };
}

export function seconds(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const value = ms / 1000;
  return value < 10 ? `${value.toFixed(1)} s` : `${Math.round(value)} s`;
}

/** The line of figures below an answer. */
export function figuresOf(turn: Turn): string[] {
  const figures: string[] = [];
  const { usage, timing } = turn;
  const tokens = usage?.answerTokens ?? 0;
  if (tokens > 0)
    figures.push(`${tokens.toLocaleString('en')} ${tokens === 1 ? 'token' : 'tokens'}`);
  if (timing !== undefined && tokens > 1 && timing.answerMs > 0) {
    figures.push(`${(((tokens - 1) * 1000) / timing.answerMs).toFixed(1)} tokens/s`);
  }
  if (timing !== undefined) figures.push(`first after ${seconds(timing.firstTokenMs)}`);
  if (usage !== undefined && usage.cachedTokens > 0) {
    const { cachedTokens, promptTokens } = usage;
    const share = `${cachedTokens.toLocaleString('en')} of ${promptTokens.toLocaleString('en')}`;
    figures.push(`${share} prompt tokens reused`);
  }
  return figures;
}
