import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { policyFor } from './security_policy.ts';

const hash = (text: string) => createHash('sha256').update(text).digest('base64');

describe('policyFor', () => {
  it('names the script and the style sheet by their hashes', () => {
    const policy = policyFor(
      '<script type="module">let a = "<style>";</script><style>b {}</style>',
    );
    expect(policy).toContain(`script-src 'sha256-${hash('let a = "<style>";')}'`);
    expect(policy).toContain(`style-src 'sha256-${hash('b {}')}'`);
    expect(policy).not.toContain('unsafe');
  });

  it('refuses a page with two scripts or none', () => {
    expect(() => policyFor('<script>a</script><script>b</script><style></style>')).toThrow('2');
    expect(() => policyFor('<style></style>')).toThrow('0 <script>');
  });
});
