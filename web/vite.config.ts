import { svelte } from '@sveltejs/vite-plugin-svelte';
import { viteSingleFile } from 'vite-plugin-singlefile';
import { defineConfig } from 'vitest/config';
import { licences } from './build/licences.ts';
import { securityPolicy } from './build/security_policy.ts';

export default defineConfig({
  plugins: [
    svelte({ configFile: false }),
    viteSingleFile({ removeViteModuleLoader: true }),
    securityPolicy(),
    licences(),
  ],
  build: { target: 'es2022', modulePreload: false, reportCompressedSize: false },
  // `npm run dev` beside a server: npm run mock, or flashmoe serve.
  server: { proxy: { '/v1': 'http://127.0.0.1:8080' } },
  test: {
    fileParallelism: false,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    expect: { poll: { timeout: 15_000 } }, // machines that are busy are slow
  },
});
