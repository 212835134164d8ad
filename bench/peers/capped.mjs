// Alternates flashmoe and llama.cpp within one memory cgroup that is smaller than the model.
// node capped.mjs BUILD_DIR LLAMA_PERPLEXITY MODEL.gguf TEXT CGROUP [ROUNDS [DECODE [PROMPTS [THREADS]]]]
// CGROUP is a folder of the memory controller with its limit set; needs root, to drop caches.
import {spawnSync} from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import {median, show} from "./statistics.mjs";

const [build, perplexity, model, text, group, ...rest] = process.argv.slice(2);
const [roundsText, decodeText, promptsText, threadsText] =
  ["2", "64", "512", "2"].map((d, i) => rest[i] ?? d);
const [rounds, decode, threads] = [roundsText, decodeText, threadsText].map(Number);
const prompts = promptsText === "" ? [] : promptsText.split(",").map(Number);

// What the whole machine read from its disks.
const readSoFar = () =>
  1024 * Number(/^pgpgin (\d+)$/m.exec(fs.readFileSync("/proc/vmstat", "utf8"))[1]);

function dropCaches() {
  spawnSync("sync");
  fs.writeFileSync("/proc/sys/vm/drop_caches", "3");
}

function run(program, args) {
  dropCaches();
  const before = readSoFar();
  const result = spawnSync(
    "sh", ["-c", 'echo $$ > "$0"/cgroup.procs && exec "$@"', group, program, ...args.map(String)],
    {encoding: "utf8", maxBuffer: 1 << 28, env: {...process.env, OMP_WAIT_POLICY: "passive"}});
  const output = result.stdout + result.stderr;
  if (result.status !== 0) {
    throw new Error(`${program}: ${result.signal ?? `exit code ${result.status}`}\n${output.slice(-2000)}`);
  }
  return {output, stdout: result.stdout, read: readSoFar() - before};
}

function oursDecode() {
  const {stdout} = run(path.join(build, "flashmoe"), [
    "bench", "--model", model, "--decode-text", text, "--tokens", decode, "--scenarios", "cold",
    "--repetitions", 1, "--threads", threads, "--json"]);
  const [series] = JSON.parse(stdout).budgets[0].series;
  return {speed: series.tokens_per_s, bytes: series.bytes_read_per_token};
}

function oursPrompt(tokens) {
  const {stdout} = run(path.join(build, "flashmoe"), [
    "bench", "--model", model, "--decode-text", text, "--prompt-tokens", tokens, "--tokens", 1,
    "--scenarios", "first-prefill", "--repetitions", 1, "--threads", threads, "--json"]);
  const [series] = JSON.parse(stdout).budgets[0].series;
  return {speed: series.tokens_per_s, bytes: series.bytes_read_per_token};
}

// The text's tokens in batches; its first `tokens`, of which it wants twice as many.
function theirs(tokens, batch) {
  const {output, read} = run(perplexity, [
    "--model", model, "--file", text, "--ctx-size", tokens, "--chunks", 1, "--batch-size", batch,
    "--ubatch-size", batch, "--no-repack", "--threads", threads, "--no-warmup"]);
  const found = /([\d.]+) seconds per pass/.exec(output);
  if (found === null) throw new Error(`no timing in the output of ${perplexity}`);
  return {speed: tokens / found[1], bytes: read / tokens};
}

const cases = [
  ...(decode > 0 ? [[`decode of ${decode}`, oursDecode, () => theirs(decode, 1)]] : []),
  ...prompts.map((n) => [`prompt of ${n}`, () => oursPrompt(n), () => theirs(n, n)]),
];
console.log(`${path.basename(model)} in ${group}: ${rounds} alternating pairs, ${threads} threads\n`);
console.log("| | flashmoe, tokens/s | llama.cpp, tokens/s | ratio of the pairs | MB read a token |");
console.log("|---|---|---|---|---|");
for (const [name, ours, peer] of cases) {
  const pairs = [];
  for (let round = 0; round < rounds; ++round) {
    const pair = round % 2 ? {theirs: peer(), ours: ours()} : {ours: ours(), theirs: peer()};
    pairs.push(pair);
    console.error(name, JSON.stringify(pair));
  }
  const speeds = (who) => show(pairs.map((pair) => pair[who].speed));
  const megabytes = (who) => (median(pairs.map((pair) => pair[who].bytes)) / 1e6).toFixed(0);
  console.log(`| ${name} | ${speeds("ours")} | ${speeds("theirs")} | ` +
    `${show(pairs.map((pair) => pair.ours.speed / pair.theirs.speed), 1)} | ` +
    `${megabytes("ours")} / ${megabytes("theirs")} |`);
}
