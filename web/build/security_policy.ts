// The page's content security policy, written into the built page as a <meta> tag. The server sends
// the same policy as a header (src/web_page/ reads it from the page). The one script and the
// one style sheet are named by their hashes, so nothing that text could bring in runs or styles.
import { createHash } from 'node:crypto';
import type { Plugin } from 'vite';

// One alternative for both, because a script may speak of <style> and a style sheet of <script>.
const kElement = /(<(script|style)\b[^>]*>)([\s\S]*?)<\/\2>/g;

function hash(html: string, tag: 'script' | 'style'): string {
  const bodies = [...html.matchAll(kElement)].filter(([, , name]) => name === tag);
  if (bodies.length !== 1) throw new Error(`${bodies.length} <${tag}> elements, expected one`);
  return `'sha256-${createHash('sha256').update(bodies[0]![3]!).digest('base64')}'`;
}

export function policyFor(html: string): string {
  return [
    "default-src 'none'",
    `script-src ${hash(html, 'script')}`,
    `style-src ${hash(html, 'style')}`,
    'font-src data:',
    'img-src data:',
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "require-trusted-types-for 'script'",
    'trusted-types svelte-trusted-html dompurify',
  ].join('; ');
}

export function securityPolicy(): Plugin {
  return {
    name: 'security-policy',
    apply: 'build',
    enforce: 'post',
    generateBundle: {
      order: 'post', // after the page has become one file
      handler(_options, bundle) {
        const page = bundle['index.html'];
        if (page?.type !== 'asset') throw new Error('no index.html was built');
        const html = String(page.source);
        const markup = html.replace(kElement, '$1');
        const external = markup.match(/(?:src|href)="(?!data:|#)[^"]*"/);
        if (external) throw new Error(`the page refers to something outside of it: ${external[0]}`);
        const meta = `<meta http-equiv="Content-Security-Policy" content="${policyFor(html)}">`;
        page.source = html.replace(
          /<meta charset="utf-8"[^>]*>/,
          (charset) => `${charset}\n    ${meta}`,
        );
        if (page.source === html) throw new Error('no place for the security policy');
      },
    },
  };
}
