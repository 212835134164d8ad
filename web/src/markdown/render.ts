// Markdown of a model, drawn while it grows: blocks that did not change keep their elements, so a
// long answer costs no more per token than a short one and a selection in it survives.
import { Marked, type Token, type Tokens } from 'marked';
import { highlight } from './highlight';
import { sanitize } from './sanitize';

// Entities that are there already stay what they are.
export function escapeHtml(text: string): string {
  return text
    .replace(/&(?!#\d{1,7};|#x[\da-f]{1,6};|\w+;)/gi, '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}

// HTML in an answer is shown as it was written, but for these marks of plain text.
const kPlainMark = /^<\/?(?:b|br|del|em|i|kbd|mark|s|strong|sub|sup|u)\s*\/?>$/i;

function shownAsWritten({ text, block }: Tokens.HTML | Tokens.Tag): string {
  if (kPlainMark.test(text.trim())) return text;
  return block ? `<p>${escapeHtml(text.trim())}</p>` : escapeHtml(text);
}

function placeOf(href: string): string {
  try {
    return new URL(href).host;
  } catch {
    return 'unknown place';
  }
}

// A picture from elsewhere is not fetched: it becomes a link that says where it would lead.
function picture({ href, text }: Tokens.Image): string {
  if (href.startsWith('data:image/')) {
    return `<img src="${escapeHtml(href)}" alt="${escapeHtml(text)}">`;
  }
  const label = text === '' ? 'Picture' : `Picture: ${text}`;
  return (
    `<a class="picture" href="${escapeHtml(href)}">${escapeHtml(label)} ` +
    `<span>${escapeHtml(placeOf(href))}</span></a>`
  );
}

const marked = new Marked({
  gfm: true,
  renderer: {
    html: shownAsWritten,
    // marked trusts what stands between <code>, <kbd> or <pre> tags; this does not.
    text(token) {
      return 'tokens' in token && token.tokens
        ? this.parser.parseInline(token.tokens)
        : escapeHtml(token.text);
    },
    image: picture,
  },
});

function button(label: string): HTMLButtonElement {
  const made = document.createElement('button');
  made.type = 'button';
  made.className = 'copy-code';
  made.textContent = label;
  return made;
}

// <pre> gets a bar with its language and a button, and can be scrolled by keyboard.
function dressCode(pre: HTMLPreElement, language: string): HTMLElement {
  const code = pre.querySelector('code');
  const text = code?.textContent ?? '';
  const coloured = highlight(text, language);
  if (code && coloured !== undefined) code.replaceChildren(sanitize(coloured));
  pre.tabIndex = 0;
  const frame = document.createElement('div');
  frame.className = 'code';
  const bar = document.createElement('div');
  bar.className = 'code-bar';
  const name = document.createElement('span');
  name.textContent = language === '' ? 'text' : language;
  bar.append(name, button('Copy'));
  frame.append(bar, pre);
  return frame;
}

function dressTable(table: HTMLTableElement): HTMLElement {
  const frame = document.createElement('div');
  frame.className = 'table';
  frame.tabIndex = 0;
  frame.role = 'group';
  frame.ariaLabel = 'Table';
  frame.append(table);
  return frame;
}

function dress(fragment: DocumentFragment): void {
  for (const pre of fragment.querySelectorAll('pre')) {
    const name = /\blanguage-(\S+)/.exec(pre.querySelector('code')?.className ?? '')?.[1] ?? '';
    const place = document.createComment('');
    pre.replaceWith(place);
    place.replaceWith(dressCode(pre, name.toLowerCase()));
  }
  for (const table of fragment.querySelectorAll('table')) {
    const place = document.createComment('');
    table.replaceWith(place);
    place.replaceWith(dressTable(table));
  }
  for (const box of fragment.querySelectorAll('input')) {
    box.disabled = true;
    box.ariaLabel = box.checked ? 'done' : 'to do';
  }
}

function draw(token: Token): Node[] {
  const fragment = sanitize(marked.parser([token]));
  dress(fragment);
  return [...fragment.childNodes];
}

interface Block {
  raw: string;
  nodes: Node[];
}

/** Keeps the children of `host` in step with a Markdown text. */
export class MarkdownView {
  private blocks: Block[] = [];
  private definitions = '';

  constructor(private readonly host: HTMLElement) {}

  show(source: string): void {
    const tokens = marked.lexer(source);
    // A link's definition may come after its use, so it changes blocks that were drawn before.
    const definitions = JSON.stringify(tokens.links);
    const isSame = definitions === this.definitions;
    this.definitions = definitions;
    const blocks: Block[] = [];
    let kept = 0;
    while (isSame && kept < tokens.length && this.blocks[kept]?.raw === tokens[kept]!.raw) {
      blocks.push(this.blocks[kept++]!);
    }
    for (const block of this.blocks.slice(kept)) {
      for (const node of block.nodes) node.parentNode?.removeChild(node);
    }
    for (const token of tokens.slice(kept)) {
      const nodes = draw(token);
      this.host.append(...nodes);
      blocks.push({ raw: token.raw, nodes });
    }
    this.blocks = blocks;
  }
}
