// Random and nasty texts for the tokenizer, reproducible from a seed.

export class Random {
  constructor(seed) { this.state = seed >>> 0; }
  // mulberry32
  next() {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }
  below(n) { return Math.floor(this.next() * n); }
  pick(list) { return list[this.below(list.length)]; }
}

const cp = String.fromCodePoint;

function anyCodePoint(r) {
  const c = r.below(r.pick([0x80, 0x250, 0x3000, 0x11000, 0x20000, 0x110000]));
  return c >= 0xd800 && c < 0xe000 ? 'x' : cp(c);
}

const scripts = [
  [0x41, 0x5a], [0x61, 0x7a], [0xc0, 0x17f], [0x370, 0x3ff], [0x400, 0x4ff], [0x590, 0x5ff],
  [0x600, 0x6ff], [0x840, 0x8ff], [0x900, 0x97f], [0x980, 0x9ff], [0xe00, 0xe7f], [0xf00, 0xfff],
  [0x1000, 0x109f], [0x1100, 0x11ff], [0x1780, 0x17ff], [0x1800, 0x18af], [0x1ab0, 0x1aff],
  [0x1dc0, 0x1dff], [0x1e00, 0x1fff], [0x3040, 0x30ff], [0x4e00, 0x4fff], [0xac00, 0xad00],
  [0xf900, 0xfaff], [0xfb00, 0xfdff], [0x10d00, 0x10d90], [0x11300, 0x113ff], [0x11900, 0x11950],
  [0x16100, 0x16d80], [0x1d100, 0x1d1ff], [0x1e000, 0x1e4ff], [0x2f800, 0x2fa1f],
];
const spaces = [' ', ' ', ' ', '  ', '    ', '\t', '\n', '\r', '\r\n', '\n\n', '\v', '\f', '\u0085',
  '\u00a0', '\u1680', '\u180e', '\u2003', '\u2028', '\u2029', '\u202f', '\u205f', '\u3000', '\ufeff',
  '\u200b'];
const contractions = ["'s", "'S", "'t", "'T", "'re", "'Re", "'rE", "'ve", "'VE", "'m", "'ll", "'lL",
  "'d", "'D", "'\u017f", "'\u212a", "'r", "'l", "'", "''", "\u2019s", "'se", "'\u00df", "'\ufb06"];
const digits = ['0', '7', '42', '2026', '\u0663', '\u096a', '\u0e55', '\u2167', '\u00bd', '\u2460',
  '\u3007', '\uff15', '\u{1d7d9}', '\u{10d33}', '\u{11de3}', '\u00b2'];
const emoji = ['\u{1f600}', '\u{1f468}\u200d\u{1f469}\u200d\u{1f467}', '\u2764\ufe0f',
  '\u{1f1e9}\u{1f1ea}', '\u{1f44d}\u{1f3fd}', '1\ufe0f\u20e3', '\u{1f3f4}\u{e0067}\u{e007f}'];
const symbols = ['!', '...', '--', '"', '#', '$%^', '&&', '()', '[{', '}]', '=>', '//', '\\', '|',
  '<|', '|>', '_', '`', '~', '\u2014', '\u300c', '\u00ac', '\0', '\x7f', '\x1b['];
const marks = ['\u0300', '\u0301', '\u0323', '\u0308', '\u0327', '\u0345', '\u093c', '\u0e38',
  '\u05b0', '\u3099', '\u0338', '\u1abf', '\u0898', '\u1df6', '\u20d0', '\u{11930}', '\u{1e130}'];
const words = ['the', 'Hello', 'world', 'function', 'return', 'na\u00efve', 'Stra\u00dfe', 'don',
  'I', 'we', 'user', 'assistant', 'tool_call', 'JSON', '\u4f60\u597d', '\u0645\u0631\u062d\u0628\u0627',
  '\u0928\u092e\u0938\u094d\u0924\u0947', '\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35',
  '\ud55c\uad6d\uc5b4', '\u043f\u0440\u0438\u0432\u0435\u0442'];
const lookAlikes = ['<|im_start|>', '<|im_end|>', '<|endoftext|>', '<think>', '</think>', '<|im_start',
  '<|IM_START|>', '<tool_call>', '</tool_call>', '<tool_response', '<|im_start|>user\n', '<', '<t',
  '<|im_\u0301start|>', ' <|im_end|> ', '<think><think>', '<|im_start|<|im_end|>'];

function fragment(r, added) {
  const kinds = [
    () => r.pick(words), () => r.pick(words), () => r.pick(spaces), () => r.pick(spaces),
    () => r.pick(contractions), () => r.pick(digits), () => r.pick(emoji), () => r.pick(symbols),
    () => r.pick(marks), () => r.pick(lookAlikes), () => anyCodePoint(r),
    () => added.length > 0 ? r.pick(added) : r.pick(lookAlikes),
    () => r.pick(spaces).repeat(r.below(6)),
    () => r.pick(symbols).repeat(r.below(6)),
    () => Array.from({length: r.below(5)}, () => r.pick(marks)).join(''),
    () => {
      const [first, last] = r.pick(scripts);
      return Array.from({length: 1 + r.below(6)}, () => cp(first + r.below(last - first + 1))).join('');
    },
    () => {
      const [first, last] = r.pick(scripts);
      return cp(first + r.below(last - first + 1)).normalize('NFD');
    },
    () => r.pick(words).normalize('NFD'),
  ];
  return r.pick(kinds)();
}

// `added`: texts of added tokens to strew in.
export function randomText(r, added = []) {
  const count = r.below(r.pick([3, 8, 20]));
  let text = '';
  for (let i = 0; i <= count; i++) text += fragment(r, added);
  return text.toWellFormed ? text.toWellFormed() : text;
}
