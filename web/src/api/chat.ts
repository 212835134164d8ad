// One streamed answer of POST /v1/chat/completions, as a sequence of small neutral events.
import { type Access, errorText, request, ServerError } from './server';
import { readEvents } from './sse';

export type ChatMessage =
  | { role: 'system' | 'user'; content: string }
  | { role: 'assistant'; content: string; reasoning_content?: string; tool_calls?: WireToolCall[] }
  | { role: 'tool'; content: string; tool_call_id: string };

export interface WireToolCall {
  id: string;
  type: 'function';
  function: { name: string; arguments: string };
}

/** The fields that the page sends; what is absent is the server's or the model's own choice. */
export interface ChatRequest {
  model?: string;
  messages: ChatMessage[];
  tools?: unknown[];
  temperature?: number;
  top_p?: number;
  top_k?: number;
  min_p?: number;
  presence_penalty?: number;
  max_tokens?: number;
  seed?: number;
  chat_template_kwargs?: { enable_thinking: boolean };
}

export interface Usage {
  promptTokens: number;
  cachedTokens: number;
  answerTokens: number;
}

export type ChatEvent =
  | { kind: 'text' | 'reasoning'; text: string }
  | { kind: 'call'; index: number; id?: string; name?: string; arguments?: string }
  | { kind: 'usage'; usage: Usage }
  | { kind: 'finish'; reason: string };

interface Chunk {
  error?: unknown;
  choices?: {
    delta?: {
      content?: string | null;
      reasoning_content?: string | null;
      tool_calls?: {
        index?: number;
        id?: string;
        function?: { name?: string; arguments?: string };
      }[];
    };
    finish_reason?: string | null;
  }[];
  usage?: {
    prompt_tokens?: number;
    completion_tokens?: number;
    prompt_tokens_details?: { cached_tokens?: number } | null;
  } | null;
}

/** What one chunk of the stream says, in order. */
export function eventsOf(chunk: Chunk): ChatEvent[] {
  const events: ChatEvent[] = [];
  for (const { delta, finish_reason } of chunk.choices ?? []) {
    if (delta?.reasoning_content) events.push({ kind: 'reasoning', text: delta.reasoning_content });
    if (delta?.content) events.push({ kind: 'text', text: delta.content });
    for (const call of delta?.tool_calls ?? []) {
      const { name, arguments: args } = call.function ?? {};
      events.push({ kind: 'call', index: call.index ?? 0, id: call.id, name, arguments: args });
    }
    if (finish_reason) events.push({ kind: 'finish', reason: finish_reason });
  }
  if (chunk.usage) {
    const { prompt_tokens, completion_tokens, prompt_tokens_details } = chunk.usage;
    const usage = {
      promptTokens: prompt_tokens ?? 0,
      cachedTokens: prompt_tokens_details?.cached_tokens ?? 0,
      answerTokens: completion_tokens ?? 0,
    };
    events.push({ kind: 'usage', usage });
  }
  return events;
}

function parseChunk(data: string): Chunk {
  try {
    return JSON.parse(data) as Chunk;
  } catch {
    throw new ServerError(0, 'The server sent something that is not an answer.');
  }
}

/** Streams an answer. Throws ServerError; an abort through access.signal throws too. */
export async function* streamChat(body: ChatRequest, access: Access): AsyncGenerator<ChatEvent> {
  const response = await request('v1/chat/completions', access, {
    ...body,
    stream: true,
    stream_options: { include_usage: true },
  });
  if (response.body === null) throw new ServerError(0, 'The server sent an empty answer.');
  let isWhole = false;
  try {
    for await (const data of readEvents(response.body)) {
      if (data === '[DONE]') return;
      const chunk = parseChunk(data);
      if (chunk.error) throw new ServerError(0, errorText(chunk) ?? 'The server gave up.');
      const events = eventsOf(chunk);
      isWhole ||= events.some((event) => event.kind === 'finish');
      yield* events;
    }
  } catch (error) {
    if (error instanceof ServerError || access.signal?.aborted) throw error;
    throw new ServerError(0, 'The connection broke in the middle of the answer.');
  }
  if (!isWhole) throw new ServerError(0, 'The answer ended before it was complete.');
}
