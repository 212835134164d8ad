import { describe, expect, it } from 'vitest';
import { addTurn, newConversation } from '../state/conversation.ts';
import { parseExport } from './import.ts';

describe('parseExport', () => {
  it('brings back what was exported', () => {
    const chat = newConversation('system', 1);
    addTurn(chat, null, { role: 'user', text: 'One?' }, 2);
    addTurn(chat, chat.leaf, { role: 'assistant', text: 'Yes.', ended: 'stop' }, 3);
    const [found] = parseExport(JSON.stringify({ flashmoe: 1, conversations: [chat] }));
    expect(found).toMatchObject({ id: chat.id, title: 'One?', leaf: chat.leaf });
    expect(found!.turns.map(({ text }) => text)).toEqual(['One?', 'Yes.']);
  });

  it('refuses other files in words', () => {
    expect(() => parseExport('x')).toThrow('not JSON');
    expect(() => parseExport('[]')).toThrow('not an export');
    expect(() => parseExport('{"conversations": [{"id": 1}]}')).toThrow('no conversation');
  });

  it('refuses turns that are no tree', () => {
    const chat = newConversation('', 1);
    const first = addTurn(chat, null, { role: 'user', text: 'a' }, 2);
    const second = addTurn(chat, first.id, { role: 'assistant', text: 'b' }, 3);
    const file = () => JSON.stringify({ conversations: [chat] });
    expect(parseExport(file())).toHaveLength(1);
    first.parent = second.id;
    expect(() => parseExport(file())).toThrow('no conversation');
    first.parent = null;
    second.id = first.id;
    expect(() => parseExport(file())).toThrow('no conversation');
  });

  it('takes over known fields only', () => {
    const chat = newConversation('', 1);
    addTurn(chat, null, { role: 'assistant', text: 'x', ended: 'running' }, 2);
    Object.assign(chat.turns[0]!, { usage: 'many', timing: 7 });
    const [found] = parseExport(JSON.stringify({ conversations: [chat] }));
    expect(found!.turns[0]).toMatchObject({ ended: 'stopped' });
    expect(found!.turns[0]).not.toHaveProperty('usage');
  });
});
