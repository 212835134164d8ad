// The server's live figures: GET /v1/flashmoe/live, one JSON object about twice a second.
import { type Access, request, ServerError } from './server';
import { readEvents } from './sse';

export interface LiveFrame {
  tokensPerS: number;
  diskGbps: number;
  diskRoofGbps: number;
  promptTokensPerS: number;
  hitRate: number | null; // 0 to 1; null: no expert was asked for
  memory: Memory;
  contextUsed: number;
  contextLimit: number; // 0: not told
  running: number;
  queued: number;
  experts?: ExpertStates;
}

export interface Memory {
  kinds: { name: string; bytes: number }[]; // as planned
  resident: number; // as measured; 0: not told
  budget: number;
}

/** One byte for each (layer, expert), layer by layer. */
export interface ExpertStates {
  layers: number;
  perLayer: number;
  states: Uint8Array;
}

export const kResident = 1;
export const kRead = 2; // since the last event
export const kUsed = 4; // since the last event

const kCellsMax = 1 << 20;

function number(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : 0;
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function memoryOf(value: unknown): Memory {
  const { resident, budget, ...kinds } = record(value);
  return {
    kinds: Object.entries(kinds).map(([name, bytes]) => ({ name, bytes: number(bytes) })),
    resident: number(resident),
    budget: number(budget),
  };
}

function expertsOf(value: unknown): ExpertStates | undefined {
  const fields = record(value);
  const layers = number(fields.layers);
  const perLayer = number(fields.per_layer);
  const cells = layers * perLayer;
  if (typeof fields.state !== 'string' || !(cells > 0 && cells <= kCellsMax)) return undefined;
  const states = Uint8Array.from(atob(fields.state), (char) => char.charCodeAt(0));
  return states.length === cells ? { layers, perLayer, states } : undefined;
}

export function parseFrame(data: string): LiveFrame {
  const fields = record(JSON.parse(data));
  return {
    tokensPerS: number(fields.tokens_per_s),
    diskGbps: number(fields.disk_gbps),
    diskRoofGbps: number(fields.disk_roof_gbps),
    promptTokensPerS: number(fields.prompt_tokens_per_s),
    hitRate: typeof fields.hit_rate === 'number' ? Math.min(1, Math.max(0, fields.hit_rate)) : null,
    memory: memoryOf(fields.memory),
    contextUsed: number(fields.context_used),
    contextLimit: number(fields.context_limit),
    running: number(fields.running),
    queued: number(fields.queued),
    experts: expertsOf(fields.experts),
  };
}

/** Frames until the stream ends or access.signal aborts. Throws ServerError. */
export async function* liveFrames(access: Access): AsyncGenerator<LiveFrame> {
  const response = await request('v1/flashmoe/live', access);
  if (response.body === null) throw new ServerError(0, 'The server sends no figures.');
  for await (const data of readEvents(response.body)) yield parseFrame(data);
}
