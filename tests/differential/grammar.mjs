// Compares our grammars for JSON Schemas with two others:
//
// * what is sampled under a grammar must validate (npm `ajv`, draft 2020-12, strict), and whatever
//   text we accept must validate too;
// * on texts, sampled, damaged and listed, our answer is compared with npm `@mlc-ai/web-xgrammar`.
//   It may differ where `reasonOf` knows why; every other difference fails.
//
//   npm ci
//   cmake --build ../../build/release --target grammar_lines
//   node grammar.mjs ../../build/release/tests/differential/grammar_lines [samples a schema] [seed]

import {spawnSync} from 'node:child_process';
import path from 'node:path';
import {fileURLToPath} from 'node:url';
import Ajv2020 from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';

import {refused, schemas, texts} from './schemas.mjs';
import {Random} from './texts.mjs';

// The package is a script that calls itself a module: it looks for its own place in `location` and
// leaves what it exports in the global object.
// It also warns about every schema that it does not keep wholly.
console.error = console.warn = () => {};
const say = console.log;
console.log = (...what) => /^\[(WARNING|FATAL)/.test(what[0]) || say(...what);
globalThis.location = {href: import.meta.resolve('@mlc-ai/web-xgrammar')};
await import('@mlc-ai/web-xgrammar');
const {Grammar, Testings} = globalThis.xgrammar;

const here = path.dirname(fileURLToPath(import.meta.url));
const [binary, samplesText, seedText] = process.argv.slice(2);
const sampleCount = Number(samplesText ?? 20), seed = Number(seedText ?? 1);

function ask(requests) {
  const input = requests.map((r) => JSON.stringify(r) + '\n').join('');
  const tokenizer = path.join(here, '../data/tokenizer/ember-tokenizer.json');
  const run = spawnSync(path.resolve(binary), [tokenizer], {input, encoding: 'utf8', maxBuffer: 2 ** 30});
  if (run.status !== 0) throw new Error(`${binary}: ${run.stderr}${run.error ?? ''}`);
  return run.stdout.trimEnd().split('\n').map((line) => JSON.parse(line));
}

function validator(schema) {
  const ajv = new Ajv2020({strict: true, strictRequired: false, strictTypes: false, strictTuples: false});
  addFormats(ajv);
  const validate = ajv.compile(schema);
  return (text) => {
    try {
      return validate(JSON.parse(text));
    } catch {
      return false;
    }
  };
}

// One character removed, doubled, replaced or swapped.
function damaged(text, random) {
  const characters = [...text];
  const at = random.below(characters.length + 1);
  const other = [...'"{}[],:01-.aé\\ \n'][random.below(17)];
  [() => characters.splice(at, 1), () => characters.splice(at, 0, other), () => characters.splice(at, 1, other),
   () => characters.splice(at, 0, ...characters.slice(at, at + 2))][random.below(4)]();
  return characters.join('');
}

// Why the two may differ on a text; nothing if they may not.
function reasonOf(schema, text, ours, valid) {
  const json = JSON.stringify(schema);
  if (ours) {
    // We accept what validates; the other does not know the constraint's every text.
    return valid ? 'valid, accepted by us alone' : undefined;
  }
  if (!valid) return 'not valid, accepted by the other alone';
  // Valid, but not a text that we would write.
  const compact = text.replace(/"(\\.|[^"\\])*"/g, '""');
  if (/^\s|\s$|\s[,:]|  |\s\n|[\t\r]/.test(compact)) return 'spaces that we do not write';
  if (/\\/.test(text)) return 'escapes where characters are counted or matched';
  if (/\d{16}|[eE][-+]?\d{3}/.test(compact)) return 'numbers beyond a double';
  if (/[eE]|-0/.test(compact) && /imum|integer|multipleOf/.test(json)) return 'other spellings of a number';
  if (/"format"/.test(json)) return 'formats that we write no longer than is useful';
  if (schema.allOf && /^\{.*,.*\}$/.test(compact)) return 'members in another order';
  return undefined;
}

async function compareWithOther(schema, list, accepts, isValid, counts) {
  let grammar;
  try {
    grammar = await Grammar.fromJSONSchema(JSON.stringify(schema), true, undefined, undefined, true);
  } catch (error) {
    counts.set('schema refused by the other', (counts.get('schema refused by the other') ?? 0) + list.length);
    return 0;
  }
  let unexplained = 0;
  for (let i = 0; i < list.length; ++i) {
    const other = await Testings.isGrammarAcceptString(grammar, list[i]);
    const reason = other === accepts[i] ? 'same' : reasonOf(schema, list[i], accepts[i], isValid(list[i]));
    counts.set(reason ?? 'unexplained', (counts.get(reason ?? 'unexplained') ?? 0) + 1);
    if (reason !== undefined) continue;
    if (++unexplained <= 3) console.log('unexplained', JSON.stringify({schema, text: list[i], ours: accepts[i], other}));
  }
  grammar.dispose();
  return unexplained;
}

async function main() {
  let failures = 0;
  const fail = (...what) => {
    if (++failures <= 20) console.log(...what);
  };
  const random = new Random(seed);
  const first = ask(schemas.map((schema) => ({schema, texts: [], samples: sampleCount, seed})));
  const lists = first.map((answer, i) => {
    if (answer.error) {
      fail('refused', JSON.stringify(schemas[i]), answer.error);
      return [];
    }
    return [...new Set([...texts, ...answer.samples, ...answer.samples.map((s) => damaged(s, random))])];
  });
  const second = ask(schemas.map((schema, i) => ({schema, texts: lists[i], samples: 0, seed})));
  const counts = new Map();
  let samples = 0, accepted = 0, tried = 0;
  for (let i = 0; i < schemas.length; ++i) {
    if (first[i].error) continue;
    const isValid = validator(schemas[i]);
    for (const sample of first[i].samples) {
      ++samples;
      if (!isValid(sample)) fail('sample is not valid', JSON.stringify(schemas[i]), sample);
    }
    const {accepts} = second[i];
    lists[i].forEach((text, j) => {
      ++tried;
      accepted += accepts[j];
      if (accepts[j] && !isValid(text)) fail('accepted but not valid', JSON.stringify(schemas[i]), text);
    });
    failures += await compareWithOther(schemas[i], lists[i], accepts, isValid, counts);
  }
  ask(refused.map(([schema]) => ({schema, texts: [], samples: 0, seed}))).forEach((answer, i) => {
    if (!answer.error?.includes(refused[i][1])) fail('not refused', JSON.stringify(refused[i]), answer.error);
  });
  console.log(`${schemas.length} schemas, ${samples} samples, ${tried} texts of which ${accepted} accepted, ` +
              `${refused.length} refused schemas, ${failures} failures`);
  for (const [reason, count] of counts) console.log(`  ${count} ${reason}`);
  process.exitCode = failures > 0 ? 1 : 0;
}

await main();
