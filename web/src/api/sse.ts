// Server-sent events, as they arrive in pieces of any size.

export class SseParser {
  private line = '';
  private data: string[] = [];
  private skipLineFeed = false;

  /** Takes the next piece of the stream; returns the data of the events that it completes. */
  push(piece: string): string[] {
    const events: string[] = [];
    for (const char of piece) {
      const follows = this.skipLineFeed && char === '\n';
      this.skipLineFeed = char === '\r';
      if (follows) continue;
      if (char === '\n' || char === '\r') this.endLine(events);
      else this.line += char;
    }
    return events;
  }

  private endLine(events: string[]): void {
    const line = this.line;
    this.line = '';
    if (line === '') {
      if (this.data.length > 0) events.push(this.data.join('\n'));
      this.data = [];
    } else if (line === 'data' || line.startsWith('data:')) {
      this.data.push(line.slice(5).replace(/^ /, ''));
    }
  }
}

/** The data of each event of a response, until it ends or is aborted (which throws). */
export async function* readEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  const parser = new SseParser();
  try {
    for (;;) {
      const { value, done } = await reader.read();
      yield* parser.push(done ? decoder.decode() : decoder.decode(value, { stream: true }));
      if (done) return;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}
