// What the user chose, kept in localStorage. An empty field leaves the choice to the server.
import type { ChatRequest } from '../api/chat';

export type Theme = 'system' | 'light' | 'dark';
export type Thinking = 'default' | 'on' | 'off';

export interface Sampling {
  temperature: number | null;
  top_p: number | null;
  top_k: number | null;
  min_p: number | null;
  presence_penalty: number | null;
  max_tokens: number | null;
  seed: number | null;
}

const kKey = 'flashmoe.settings';

const kDefaults = {
  theme: 'system' as Theme,
  model: '',
  thinking: 'default' as Thinking,
  system: '',
  tools: '', // a JSON array of function tools
  apiKey: '',
  keepsKey: false,
  sampling: {
    temperature: null,
    top_p: null,
    top_k: null,
    min_p: null,
    presence_penalty: null,
    max_tokens: null,
    seed: null,
  } as Sampling,
  showsSidebar: true,
  showsPanel: false,
};

export type Settings = typeof kDefaults;

/** Saved settings may come from another version of the page: only what fits is taken. */
export function mergeSettings(saved: unknown): Settings {
  const settings = structuredClone(kDefaults);
  if (typeof saved !== 'object' || saved === null) return settings;
  const from = saved as Record<string, unknown>;
  for (const [name, value] of Object.entries(settings)) {
    if (name !== 'sampling' && typeof from[name] === typeof value) {
      Object.assign(settings, { [name]: from[name] });
    }
  }
  const sampling = (from.sampling ?? {}) as Record<string, unknown>;
  for (const name of Object.keys(settings.sampling) as (keyof Sampling)[]) {
    const value = sampling[name];
    if (typeof value === 'number' && Number.isFinite(value)) settings.sampling[name] = value;
  }
  return settings;
}

function load(): Settings {
  try {
    const settings = mergeSettings(JSON.parse(localStorage.getItem(kKey) ?? 'null'));
    settings.apiKey ||= sessionStorage.getItem(kKey) ?? '';
    return settings;
  } catch {
    return structuredClone(kDefaults);
  }
}

export const settings: Settings = $state(load());

/** The key outlives the tab only if the user said so. */
export function saveSettings(): void {
  const plain = $state.snapshot(settings);
  try {
    sessionStorage.setItem(kKey, plain.apiKey);
    if (!plain.keepsKey) plain.apiKey = '';
    localStorage.setItem(kKey, JSON.stringify(plain));
  } catch {
    // Storage that is full or forbidden: the settings hold until the page is left.
  }
}

/** The tools of a request, or what is wrong with their JSON. */
export function parseTools(text: string): { tools?: unknown[]; error?: string } {
  if (text.trim() === '') return {};
  let tools: unknown;
  try {
    tools = JSON.parse(text);
  } catch (error) {
    return { error: `This is not JSON: ${(error as Error).message}` };
  }
  if (!Array.isArray(tools)) return { error: 'Tools are a JSON array: [ … ].' };
  const wrong = tools.findIndex((tool) => typeof tool?.function?.name !== 'string');
  if (wrong >= 0) return { error: `Tool ${wrong + 1} has no function.name.` };
  return tools.length > 0 ? { tools } : {};
}

/** The part of a request that the settings decide. */
export function requestFields(from: Settings): Omit<ChatRequest, 'messages'> {
  const fields: Omit<ChatRequest, 'messages'> = {};
  if (from.model !== '') fields.model = from.model;
  for (const [name, value] of Object.entries(from.sampling)) {
    if (value !== null) Object.assign(fields, { [name]: value });
  }
  if (from.thinking !== 'default') {
    fields.chat_template_kwargs = { enable_thinking: from.thinking === 'on' };
  }
  const { tools } = parseTools(from.tools);
  if (tools !== undefined) fields.tools = tools;
  return fields;
}
