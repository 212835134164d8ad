import { describe, expect, it } from 'vitest';
import { readEvents, SseParser } from './sse.ts';

const stream =
  'data: one\n\n: a comment\r\nevent: x\r\ndata: two\r\ndata:  three\r\n\r\ndata\n\nid: 4\n\n';
const events = ['one', 'two\n three', ''];

describe('SseParser', () => {
  it('reads the same events however the stream is cut', () => {
    for (let size = 1; size <= stream.length; ++size) {
      const parser = new SseParser();
      const found: string[] = [];
      for (let at = 0; at < stream.length; at += size) {
        found.push(...parser.push(stream.slice(at, at + size)));
      }
      expect(found, `pieces of ${size}`).toEqual(events);
    }
  });

  it('keeps an event back until its empty line', () => {
    const parser = new SseParser();
    expect(parser.push('data: half')).toEqual([]);
    expect(parser.push('\n')).toEqual([]);
    expect(parser.push('\n')).toEqual(['half']);
  });
});

describe('readEvents', () => {
  it('joins characters that were cut between two pieces', async () => {
    const bytes = new TextEncoder().encode('data: Zürich 😀\n\n');
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        for (const byte of bytes) controller.enqueue(Uint8Array.of(byte));
        controller.close();
      },
    });
    const found: string[] = [];
    for await (const event of readEvents(body)) found.push(event);
    expect(found).toEqual(['Zürich 😀']);
  });
});
