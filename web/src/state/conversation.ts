// A conversation is a tree of turns: to regenerate or to edit adds a sibling, so nothing is lost.
// What is shown and sent is the path from the root to `leaf`. Pure functions, no storage, no page.
import type { ChatMessage, Usage } from '../api/chat';

export interface ToolCall {
  id: string;
  name: string;
  arguments: string; // JSON, perhaps not yet complete
}

export interface Timing {
  firstTokenMs: number;
  answerMs: number; // from the first token to the last
}

export interface Turn {
  id: string;
  parent: string | null;
  role: 'user' | 'assistant' | 'tool';
  text: string;
  time: number;
  reasoning?: string;
  reasoningMs?: number;
  calls?: ToolCall[];
  callId?: string; // of a tool's turn: the call that it answers
  ended?: 'running' | 'stop' | 'length' | 'tool_calls' | 'stopped' | 'error';
  error?: string;
  usage?: Usage;
  timing?: Timing;
}

export interface Conversation {
  id: string;
  title: string;
  isNamed: boolean; // by the user, so it is not renamed after the first message
  system: string;
  created: number;
  changed: number;
  turns: Turn[];
  leaf: string | null;
}

export function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(9));
  return btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_');
}

export function newConversation(system: string, now: number): Conversation {
  const id = newId();
  const title = 'New chat';
  return { id, title, isNamed: false, system, created: now, changed: now, turns: [], leaf: null };
}

export function turnOf(conversation: Conversation, id: string | null): Turn | undefined {
  return id === null ? undefined : conversation.turns.find((turn) => turn.id === id);
}

/** From the first turn to `leaf`. */
export function pathTo(conversation: Conversation, leaf = conversation.leaf): Turn[] {
  const byId = new Map(conversation.turns.map((turn) => [turn.id, turn]));
  const path: Turn[] = [];
  let turn = leaf === null ? undefined : byId.get(leaf);
  while (turn !== undefined) {
    path.push(turn);
    turn = turn.parent === null ? undefined : byId.get(turn.parent);
  }
  return path.reverse();
}

/** The versions of a turn, oldest first; itself among them. */
export function siblings(conversation: Conversation, turn: Turn): Turn[] {
  return conversation.turns.filter((other) => other.parent === turn.parent);
}

/** The newest turn below `id`, following the newest child each time. */
export function newestLeaf(conversation: Conversation, id: string): string {
  let leaf = id;
  for (;;) {
    const child = conversation.turns.findLast((turn) => turn.parent === leaf);
    if (child === undefined) return leaf;
    leaf = child.id;
  }
}

/** Adds a turn below `parent` and makes it the leaf. */
export function addTurn(
  conversation: Conversation,
  parent: string | null,
  fields: Pick<Turn, 'role' | 'text'> & Partial<Turn>,
  now: number,
): Turn {
  conversation.turns.push({ id: newId(), time: now, ...fields, parent });
  const turn = conversation.turns.at(-1)!;
  conversation.leaf = turn.id;
  conversation.changed = now;
  if (turn.role === 'user' && !conversation.isNamed && parent === null) {
    conversation.title = titleFrom(turn.text);
  }
  return turn;
}

/** The first words of a message, as a title. */
export function titleFrom(text: string): string {
  const line = text
    .trim()
    .split(/\s*\n/, 1)[0]!
    .replace(/^[#>*\-\s]+/, '')
    .replace(/\s+/g, ' ');
  if (line.length <= 60) return line === '' ? 'New chat' : line;
  return `${line.slice(0, 60).replace(/\s+\S*$/, '')}…`;
}

/** The calls of the last answer that no tool's turn has answered yet. */
export function openCalls(path: Turn[]): ToolCall[] {
  const asked = path.findLastIndex((turn) => turn.role === 'assistant');
  const calls = path[asked]?.calls ?? [];
  const answered = new Set(path.slice(asked + 1).map((turn) => turn.callId));
  return path[asked]?.ended === 'running' ? [] : calls.filter((call) => !answered.has(call.id));
}

function isEmptyAnswer(turn: Turn): boolean {
  return turn.role === 'assistant' && turn.text === '' && (turn.calls ?? []).length === 0;
}

function toMessage(turn: Turn, keepsReasoning: boolean): ChatMessage {
  if (turn.role === 'user') return { role: 'user', content: turn.text };
  if (turn.role === 'tool') {
    return { role: 'tool', content: turn.text, tool_call_id: turn.callId ?? '' };
  }
  const message: ChatMessage = { role: 'assistant', content: turn.text };
  if (keepsReasoning && turn.reasoning) message.reasoning_content = turn.reasoning;
  if (turn.calls && turn.calls.length > 0) {
    message.tool_calls = turn.calls.map(({ id, name, arguments: args }) => {
      return { id, type: 'function', function: { name, arguments: args === '' ? '{}' : args } };
    });
  }
  return message;
}

/** What the server gets. Thinking goes along only within the current exchange with tools. */
export function toMessages(system: string, path: Turn[]): ChatMessage[] {
  const lastUser = path.findLastIndex((turn) => turn.role === 'user');
  const messages = path
    .map((turn, i) => ({ turn, keepsReasoning: i > lastUser }))
    .filter(({ turn }) => !isEmptyAnswer(turn))
    .map(({ turn, keepsReasoning }) => toMessage(turn, keepsReasoning));
  if (system.trim() !== '') messages.unshift({ role: 'system', content: system });
  return messages;
}

/** The shown path as Markdown, for a file. */
export function toMarkdown(conversation: Conversation): string {
  const parts = [`# ${conversation.title}`];
  if (conversation.system.trim() !== '') parts.push(`*System:* ${conversation.system.trim()}`);
  for (const turn of pathTo(conversation)) {
    if (turn.role === 'user') parts.push('## You', turn.text);
    if (turn.role === 'tool') parts.push('### Tool result', fenced('', turn.text));
    if (turn.role !== 'assistant') continue;
    parts.push('## Answer');
    if (turn.text !== '') parts.push(turn.text);
    for (const call of turn.calls ?? []) {
      parts.push(`Calls \`${call.name}\`:`, fenced('json', call.arguments));
    }
  }
  return `${parts.join('\n\n')}\n`;
}

function fenced(language: string, text: string): string {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([ticks]) => ticks.length));
  const fence = '`'.repeat(longest + 1);
  return `${fence}${language}\n${text}\n${fence}`;
}
