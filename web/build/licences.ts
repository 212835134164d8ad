// The licences of what is built into the page, as a comment at its end.
import { readFileSync } from 'node:fs';
import type { Plugin } from 'vite';

const packages: Record<string, string> = {
  svelte: 'LICENSE.md',
  marked: 'LICENSE',
  dompurify: 'LICENSE',
  'highlight.js': 'LICENSE',
  uplot: 'LICENSE',
  '@fontsource-variable/ibm-plex-sans': 'LICENSE',
  '@fontsource/ibm-plex-mono': 'LICENSE',
};

function notice(name: string, file: string): string {
  const folder = new URL(`../node_modules/${name}/`, import.meta.url);
  const { version } = JSON.parse(readFileSync(new URL('package.json', folder), 'utf8'));
  const text = readFileSync(new URL(file, folder), 'utf8').replaceAll('--', '- -');
  return `${name} ${version}\n\n${text.trim()}\n`;
}

export function licences(): Plugin {
  return {
    name: 'licences',
    apply: 'build',
    enforce: 'post',
    generateBundle: {
      order: 'post', // after the page has become one file
      handler(_options, bundle) {
        const page = bundle['index.html'];
        if (page?.type !== 'asset') throw new Error('no index.html was built');
        const notices = Object.entries(packages).map(([name, file]) => notice(name, file));
        page.source = `${String(page.source).trimEnd()}\n<!--\n${notices.join('\n\n')}-->\n`;
      },
    },
  };
}
