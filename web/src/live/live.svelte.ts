// What the panel shows: the last frame, and the last two minutes of those that are plotted.
import { type LiveFrame, liveFrames } from '../api/live';
import { ServerError } from '../api/server';
import { settings } from '../state/settings.svelte';

const kKeptMs = 120_000;
const kRetryMs = 2000;

interface Sample {
  timeMs: number;
  tokensPerS: number;
  diskGbps: number;
}

function wait(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

class Live {
  frame: LiveFrame | null = $state.raw(null);
  samples: Sample[] = $state.raw([]);
  problem = $state('');

  /** Follows the server's figures until the signal aborts, however often the stream breaks. */
  async follow(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        for await (const frame of liveFrames({ apiKey: settings.apiKey, signal })) this.take(frame);
        this.problem = 'The server ended the figures.';
      } catch (error) {
        if (signal.aborted) return;
        const status = error instanceof ServerError ? error.status : 0;
        this.problem =
          status === 404 || status === 405
            ? 'This server does not tell what its engine is doing.'
            : (error as Error).message;
        if (status === 404 || status === 405) return;
      }
      await wait(kRetryMs, signal);
    }
  }

  private take(frame: LiveFrame): void {
    const timeMs = Date.now();
    const { tokensPerS, diskGbps } = frame;
    this.problem = '';
    // While no expert is asked for, the last rate stays.
    this.frame = { ...frame, hitRate: frame.hitRate ?? this.frame?.hitRate ?? null };
    this.samples = [
      ...this.samples.filter((sample) => timeMs - sample.timeMs < kKeptMs),
      { timeMs, tokensPerS, diskGbps },
    ];
  }
}

export const live = new Live();
