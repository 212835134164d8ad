// Reads a file of exported conversations. It may come from anywhere, so each field is checked.
import type { Conversation, Turn } from '../state/conversation';

const kRoles = ['user', 'assistant', 'tool'];

function isTurn(value: Turn): boolean {
  return (
    typeof value?.id === 'string' &&
    (value.parent === null || typeof value.parent === 'string') &&
    kRoles.includes(value.role) &&
    typeof value.text === 'string' &&
    typeof value.time === 'number' &&
    ['string', 'undefined'].includes(typeof value.reasoning) &&
    (value.calls === undefined ||
      (Array.isArray(value.calls) &&
        value.calls.every((call) =>
          [call?.id, call?.name, call?.arguments].every((field) => typeof field === 'string'),
        )))
  );
}

// Figures of another machine's answers are not taken over.
function cleaned(turn: Turn): Turn {
  const { id, parent, role, text, time, reasoning, calls, callId, ended } = turn;
  const isOver = ended === 'stop' || ended === 'length' || ended === 'tool_calls';
  return {
    id,
    parent,
    role,
    text,
    time,
    reasoning,
    calls: calls?.map(({ id: callOf, name, arguments: args }) => {
      return { id: callOf, name, arguments: args };
    }),
    callId: typeof callId === 'string' ? callId : undefined,
    ended: role !== 'assistant' ? undefined : isOver ? ended : 'stopped',
  };
}

// Each turn has an id of its own and comes after the one that it answers: a tree, no rings.
function isTree(turns: Turn[]): boolean {
  const seen = new Set<string | null>([null]);
  return turns.every(({ id, parent }) => {
    const fits = seen.has(parent) && !seen.has(id);
    seen.add(id);
    return fits;
  });
}

function isConversation(value: Conversation): boolean {
  return (
    typeof value?.id === 'string' &&
    typeof value.title === 'string' &&
    typeof value.system === 'string' &&
    typeof value.created === 'number' &&
    typeof value.changed === 'number' &&
    (value.leaf === null || typeof value.leaf === 'string') &&
    Array.isArray(value.turns) &&
    value.turns.every(isTurn) &&
    isTree(value.turns)
  );
}

/** The conversations of an export that are whole. Throws what a person can read. */
export function parseExport(text: string): Conversation[] {
  let file: { conversations?: unknown };
  try {
    file = JSON.parse(text) as typeof file;
  } catch {
    throw new Error('The file is not JSON.');
  }
  const conversations = file?.conversations;
  if (!Array.isArray(conversations)) throw new Error('The file is not an export of this page.');
  const whole = (conversations as Conversation[]).filter(isConversation);
  if (whole.length === 0) throw new Error('The file holds no conversation.');
  return whole.map(({ id, title, system, created, changed, leaf, turns }) => {
    const isNamed = true;
    return { id, title, isNamed, system, created, changed, leaf, turns: turns.map(cleaned) };
  });
}
