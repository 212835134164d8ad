import { describe, expect, it } from 'vitest';
import {
  addTurn,
  newConversation,
  newestLeaf,
  openCalls,
  pathTo,
  siblings,
  titleFrom,
  toMarkdown,
  toMessages,
} from './conversation.ts';

function exchange() {
  const chat = newConversation('Be brief.', 1);
  const question = addTurn(chat, null, { role: 'user', text: 'One?' }, 2);
  const answer = addTurn(
    chat,
    question.id,
    { role: 'assistant', text: 'First.', reasoning: 'hm', ended: 'stop' },
    3,
  );
  return { chat, question, answer };
}

describe('the tree of turns', () => {
  it('keeps the old answer beside a new one', () => {
    const { chat, question, answer } = exchange();
    const again = addTurn(chat, question.id, { role: 'assistant', text: 'Second.' }, 4);
    expect(pathTo(chat).map(({ text }) => text)).toEqual(['One?', 'Second.']);
    expect(siblings(chat, again).map(({ id }) => id)).toEqual([answer.id, again.id]);
    chat.leaf = newestLeaf(chat, answer.id);
    expect(pathTo(chat).map(({ text }) => text)).toEqual(['One?', 'First.']);
  });

  it('comes back to the end of the version that is chosen', () => {
    const { chat, question, answer } = exchange();
    const next = addTurn(chat, answer.id, { role: 'user', text: 'Two?' }, 4);
    addTurn(chat, null, { role: 'user', text: 'One, edited?' }, 5);
    expect(newestLeaf(chat, question.id)).toBe(next.id);
  });
});

describe('toMessages', () => {
  it('sends the system prompt first and old thinking not at all', () => {
    const { chat } = exchange();
    addTurn(chat, chat.leaf, { role: 'user', text: 'Two?' }, 4);
    expect(toMessages(chat.system, pathTo(chat))).toEqual([
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'One?' },
      { role: 'assistant', content: 'First.' },
      { role: 'user', content: 'Two?' },
    ]);
  });

  it('keeps the thinking that led to a call, and sends its result', () => {
    const chat = newConversation('', 1);
    addTurn(chat, null, { role: 'user', text: 'Weather?' }, 2);
    const calls = [{ id: 'c1', name: 'f', arguments: '{}' }];
    addTurn(chat, chat.leaf, { role: 'assistant', text: '', reasoning: 'look', calls }, 3);
    expect(openCalls(pathTo(chat))).toEqual(calls);
    addTurn(chat, chat.leaf, { role: 'tool', text: 'rain', callId: 'c1' }, 4);
    expect(openCalls(pathTo(chat))).toEqual([]);
    const [, call, result] = toMessages('', pathTo(chat));
    expect(call).toEqual({
      role: 'assistant',
      content: '',
      reasoning_content: 'look',
      tool_calls: [{ id: 'c1', type: 'function', function: { name: 'f', arguments: '{}' } }],
    });
    expect(result).toEqual({ role: 'tool', content: 'rain', tool_call_id: 'c1' });
  });

  it('leaves out an answer that never began', () => {
    const { chat } = exchange();
    addTurn(chat, chat.leaf, { role: 'user', text: 'Two?' }, 4);
    addTurn(chat, chat.leaf, { role: 'assistant', text: '', ended: 'error' }, 5);
    addTurn(chat, chat.leaf, { role: 'user', text: 'Again?' }, 6);
    expect(toMessages('', pathTo(chat)).map(({ content }) => content)).toEqual([
      'One?',
      'First.',
      'Two?',
      'Again?',
    ]);
  });
});

describe('titles and files', () => {
  it('takes the first line, cut between words', () => {
    expect(titleFrom('  ## Hello  there\nmore')).toBe('Hello there');
    expect(titleFrom('')).toBe('New chat');
    const long = titleFrom('word '.repeat(40));
    expect(long.length).toBeLessThanOrEqual(61);
    expect(long).toMatch(/word…$/);
  });

  it('fences a result that holds fences itself', () => {
    const chat = newConversation('', 1);
    addTurn(chat, null, { role: 'tool', text: '```\ncode\n```' }, 2);
    expect(toMarkdown(chat)).toContain('````\n```\ncode\n```\n````');
  });
});
