// llama.cpp over a fixed text, driven by node-llama-cpp. Prints one JSON object.
// node resident.mjs PACKAGES_DIR MODEL.gguf TOKENS.json PROMPT DECODE THREADS [LOGPROBS.json]
// With the last, writes the log-probability of each token instead.
import fs from "node:fs";
import {createRequire} from "node:module";
import path from "node:path";
import {pathToFileURL} from "node:url";

const [packages, modelPath, tokensPath, promptText, decodeText, threadsText, logprobsPath] =
  process.argv.slice(2);
const [prompt, decode, threads] = [promptText, decodeText, threadsText].map(Number);
const resolve = createRequire(path.join(path.resolve(packages), "x.js")).resolve;
const {getLlama} = await import(pathToFileURL(resolve("node-llama-cpp")));

const ids = JSON.parse(fs.readFileSync(tokensPath, "utf8")).slice(0, prompt + decode);
const llama = await getLlama({gpu: false, build: "never", logLevel: "error", maxThreads: threads});
const model = await llama.loadModel({modelPath, useMmap: true});
const context = await model.createContext({
  contextSize: prompt + decode + 64, batchSize: 512, threads: {ideal: threads, min: threads},
});
const sequence = context.getSequence();
const next = {generateNext: {token: true, options: {temperature: 0}}};

async function prefill() {
  await sequence.clearHistory();
  const start = performance.now();
  const last = ids[prompt - 1];
  await sequence.controlledEvaluate([...ids.slice(0, prompt - 1), [last, next]]);
  return performance.now() - start;
}

async function decodeRest() {
  const start = performance.now();
  for (const id of ids.slice(prompt)) await sequence.controlledEvaluate([[id, next]]);
  return performance.now() - start;
}

// Of each token after the first, given those before it.
async function logprobs() {
  await sequence.clearHistory();
  const wanted = {generateNext: {probabilities: true}};
  const results = await sequence.controlledEvaluate(ids.map((id) => [id, wanted]));
  return ids.slice(1).map((id, i) => Math.log(results[i].next.probabilities.get(id) ?? 1e-12));
}

if (logprobsPath) {
  fs.writeFileSync(logprobsPath, JSON.stringify(await logprobs()));
} else {
  await prefill();
  await decodeRest();
  const prefillMs = await prefill();
  const decodeMs = await decodeRest();
  console.log(JSON.stringify({
    prefill_tokens_per_s: 1000 * prompt / prefillMs,
    decode_tokens_per_s: 1000 * decode / decodeMs,
  }));
}
process.exit(0);
