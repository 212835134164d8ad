// The last gate before anything that a model wrote becomes part of the page.
import DOMPurify from 'dompurify';

const kTags = [
  'a',
  'b',
  'blockquote',
  'br',
  'code',
  'del',
  'em',
  'h1',
  'h2',
  'h3',
  'h4',
  'h5',
  'h6',
  'hr',
  'i',
  'img',
  'input',
  'kbd',
  'li',
  'mark',
  'ol',
  'p',
  'pre',
  's',
  'span',
  'strong',
  'sub',
  'sup',
  'table',
  'tbody',
  'td',
  'th',
  'thead',
  'tr',
  'u',
  'ul',
];
const kAttributes = [
  'align',
  'alt',
  'checked',
  'class',
  'disabled',
  'href',
  'src',
  'start',
  'title',
  'type',
];

const kPicture = /^data:image\/(png|jpeg|gif|webp);base64,/;

// Only absolute links to other places, opened by a click, in a tab that knows nothing of this one.
function guardLink(link: Element): void {
  const href = link.getAttribute('href') ?? '';
  if (!/^(https?:\/\/|mailto:)/i.test(href)) {
    link.removeAttribute('href');
    return;
  }
  link.setAttribute('target', '_blank');
  link.setAttribute('rel', 'noopener noreferrer nofollow');
  if (!link.hasAttribute('title')) link.setAttribute('title', href);
}

DOMPurify.addHook('afterSanitizeAttributes', (node) => {
  if (node.nodeName === 'A') guardLink(node);
  if (node.nodeName === 'IMG' && !kPicture.test(node.getAttribute('src') ?? '')) node.remove();
  if (node.nodeName === 'INPUT' && node.getAttribute('type') !== 'checkbox') node.remove();
});

export function sanitize(html: string): DocumentFragment {
  return DOMPurify.sanitize(html, {
    ALLOWED_TAGS: kTags,
    ALLOWED_ATTR: kAttributes,
    ALLOW_DATA_ATTR: false,
    ALLOW_ARIA_ATTR: false,
    RETURN_DOM_FRAGMENT: true,
  });
}
