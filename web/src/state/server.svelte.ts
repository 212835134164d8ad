// What the page knows of the server: is it there, does it want a key, which models has it.
import { modelNames, ServerError } from '../api/server';
import { settings } from './settings.svelte';

class Server {
  models: string[] = $state([]);
  problem = $state('');
  wantsKey = $state(false);

  model = $derived(this.models.includes(settings.model) ? settings.model : (this.models[0] ?? ''));

  async look(): Promise<void> {
    try {
      this.models = await modelNames({ apiKey: settings.apiKey });
      this.problem = '';
      this.wantsKey = false;
    } catch (error) {
      this.wantsKey = error instanceof ServerError && error.status === 401;
      this.problem = error instanceof ServerError ? error.message : 'The server is not understood.';
    }
  }
}

export const server = new Server();
