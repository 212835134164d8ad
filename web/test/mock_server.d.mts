export interface MockState {
  paceMs: number;
  liveMs: number;
  apiKey: string;
  hasLive: boolean;
  requests: unknown[];
  cancelled: number;
  listeners: number;
}

export function startMock(options?: {
  port?: number;
  paceMs?: number;
  liveMs?: number;
  apiKey?: string;
}): Promise<{ url: string; state: MockState; close(): Promise<void> }>;
