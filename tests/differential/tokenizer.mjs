// Compares our tokenizer with Hugging Face's (npm `tokenizers`) on random texts.
//
//   npm ci
//   cmake --build ../../build/release --target tokenize_lines
//   node tokenizer.mjs ../../build/release/tests/differential/tokenize_lines [texts] [seed]
//
// With --golden FILE, writes 300 texts and the reference's answers for the unit test instead.

import {spawnSync} from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import {fileURLToPath} from 'node:url';
import tokenizers from 'tokenizers';

import {Random, randomText} from './texts.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const ember = JSON.parse(
    fs.readFileSync(path.join(here, '../data/tokenizer/ember-tokenizer.json'), 'utf8'));
const kContractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const kQwen2 = kContractions +
    '|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+';

function withPattern(pattern) {
  const json = structuredClone(ember);
  json.pre_tokenizer.pretokenizers[0].pattern.Regex = pattern;
  return json;
}

function qwen35Pattern(contractions) {
  return ember.pre_tokenizer.pretokenizers[0].pattern.Regex.replace(kContractions, contractions);
}

// Added tokens of every kind, near each other.
function withAddedTokens() {
  const json = structuredClone(ember);
  const extra = [
    ['<left>', {lstrip: true}], ['<right>', {rstrip: true}], ['<both>', {lstrip: true, rstrip: true}],
    ['word', {single_word: true}], ['wordy', {}], ['caf\u00e9', {normalized: true}],
    ['cafe\u0301s', {normalized: true}], ['e\u0301', {}], ['<leftover>', {single_word: true}],
    ['\u4f60', {normalized: true, lstrip: true}], [' gap ', {}], ['<right><', {}],
  ];
  let id = Math.max(...json.added_tokens.map((t) => t.id));
  for (const [content, flags] of extra) {
    // The reference goes by the text: it numbers on, or takes the id that the vocabulary has.
    json.added_tokens.push({id: json.model.vocab[content] ?? ++id, content, single_word: false, lstrip: false, rstrip: false,
                            normalized: false, special: id % 2 === 0, ...flags});
  }
  return json;
}

function withModel(change) {
  const json = structuredClone(ember);
  change(json);
  return json;
}

const variants = {
  qwen35: ember,
  qwen2: withPattern(kQwen2),
  'contractions as in GPT-4': withPattern(qwen35Pattern("'(?i:[sdmt]|ll|ve|re)")),
  'contractions factored': withPattern(qwen35Pattern("(?i:'(?:s|t|re|ve|m|ll|d))")),
  'added tokens': withAddedTokens(),
  'no normalizer': withModel((json) => { json.normalizer = null; }),
  'ignore merges': withModel((json) => { json.model.ignore_merges = true; }),
  'bytes missing': withModel((json) => {
    const merged = new Set(json.model.merges.flat());
    const vocab = Object.entries(json.model.vocab);
    json.model.vocab = Object.fromEntries(vocab.map(
        ([token, id]) => [token.length > 1 || merged.has(token) ? token : `(unused ${id})`, id]));
  }),
};

function makeTexts(count, seed, json) {
  const random = new Random(seed);
  const added = json.added_tokens.map((t) => t.content);
  return Array.from({length: count}, () => randomText(random, added));
}

async function reference(json, texts) {
  const tokenizer = tokenizers.Tokenizer.fromString(JSON.stringify(json));
  const answers = [];
  for (let i = 0; i < texts.length; i += 1000) {
    const encoded = await tokenizer.encodeBatch(texts.slice(i, i + 1000), {addSpecialTokens: false});
    const ids = encoded.map((e) => e.getIds());
    const decoded = await tokenizer.decodeBatch(ids, true);
    ids.forEach((list, j) => answers.push({ids: list, text: decoded[j]}));
  }
  return answers;
}

function ours(binary, json, texts) {
  const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'tokenizer-')), 'tokenizer.json');
  fs.writeFileSync(file, JSON.stringify(json));
  const input = texts.map((t) => JSON.stringify(t) + '\n').join('');
  const result = spawnSync(binary, [file], {input, encoding: 'utf8', maxBuffer: 2 ** 31 - 1});
  fs.rmSync(path.dirname(file), {recursive: true});
  if (result.status !== 0) throw new Error(`${binary}: ${result.stderr}${result.error ?? ''}`);
  return result.stdout.trimEnd().split('\n').map((line) => JSON.parse(line));
}

async function compare(binary, name, count, seed) {
  const json = variants[name];
  const texts = makeTexts(count, seed, json);
  const expected = await reference(json, texts);
  const actual = ours(binary, json, texts);
  let differences = 0, tokens = 0;
  texts.forEach((text, i) => {
    tokens += expected[i].ids.length;
    const same = JSON.stringify(expected[i].ids) === JSON.stringify(actual[i].ids);
    // The reference decodes added tokens through the byte alphabet; ours are their texts.
    const sameText = name === 'added tokens' || expected[i].text === actual[i].text;
    if (same && sameText) return;
    if (++differences <= 5) {
      console.log(JSON.stringify({text, expected: expected[i], actual: actual[i]}));
    }
  });
  console.log(`${name}: ${texts.length} texts, ${tokens} tokens, ${differences} differences`);
  return differences;
}

async function writeGolden(file) {
  const cases = [];
  for (const [name, count] of [['qwen35', 180], ['qwen2', 120]]) {
    const texts = makeTexts(count, 1, variants[name]);
    const answers = await reference(variants[name], texts);
    texts.forEach((text, i) => cases.push({pre: name, text, ids: answers[i].ids}));
  }
  fs.writeFileSync(file, '[\n' + cases.map((c) => JSON.stringify(c)).join(',\n') + '\n]\n');
}

const [first, second, third] = process.argv.slice(2);
if (first === '--golden') {
  await writeGolden(second);
} else {
  let differences = 0;
  for (const name of Object.keys(variants)) {
    differences += await compare(path.resolve(first), name, Number(second ?? 20000), Number(third ?? 1));
  }
  process.exitCode = differences > 0 ? 1 : 0;
}
