// Alternates flashmoe and llama.cpp over the same file and text and prints medians and ratios.
// node compare.mjs BUILD_DIR PACKAGES_DIR MODEL.gguf TOKENS.json [ROUNDS [PROMPT [DECODE [THREADS]]]]
import {execFileSync} from "node:child_process";
import path from "node:path";
import {show} from "./statistics.mjs";

const [build, packages, model, tokens, ...counts] = process.argv.slice(2);
const [rounds, prompt, decode, threads] = [5, 512, 128, 2].map((d, i) => Number(counts[i] ?? d));
const run = (program, args) =>
  JSON.parse(execFileSync(program, args.map(String), {encoding: "utf8"}).trim().split("\n").at(-1));

// Warm: the text was run before, and its experts have all been read.
function ours() {
  const report = run(path.join(build, "flashmoe"), [
    "bench", "--model", model, "--decode-ids", tokens, "--at", prompt, "--tokens", decode,
    "--prompt-tokens", prompt, "--scenarios", "warm,prefill", "--repetitions", 1,
    "--threads", threads, "--json"]);
  const [warm, prefill] = report.budgets[0].series;
  return {
    prefill_tokens_per_s: prefill.tokens_per_s,
    decode_tokens_per_s: warm.tokens_per_s,
    bytes_per_token: warm.bytes_touched_per_token,
    bytes_read_per_token: warm.bytes_read_per_token,
    decode_gbps: warm.memory_gbps,
    roof_gbps: report.machine.memory_gbps,
  };
}
const theirs = () => run(process.execPath, [
  path.join(import.meta.dirname, "resident.mjs"), packages, model, tokens, prompt, decode, threads]);

const pairs = [];
for (let round = 0; round < rounds; ++round) {
  const pair = round % 2 ? {theirs: theirs(), ours: ours()} : {ours: ours(), theirs: theirs()};
  pairs.push(pair);
  console.error(JSON.stringify(pair));
}
console.log(`${path.basename(model)}: ${rounds} alternating pairs, ${threads} threads, median (range)\n`);
console.log("| | flashmoe, tokens/s | llama.cpp, tokens/s | ratio of the pairs |\n|---|---|---|---|");
for (const [name, key] of [[`decode of ${decode}`, "decode_tokens_per_s"],
                           [`prefill of ${prompt}`, "prefill_tokens_per_s"]]) {
  const column = (who) => pairs.map((pair) => pair[who][key]);
  const ratios = pairs.map((pair) => pair.ours[key] / pair.theirs[key]);
  console.log(`| ${name} | ${show(column("ours"))} | ${show(column("theirs"))} | ${show(ratios)} |`);
}
const last = pairs.at(-1).ours;
const share = pairs.map((pair) => 100 * pair.ours.decode_gbps / pair.ours.roof_gbps);
console.log(`\n${(last.bytes_per_token / 1e6).toFixed(0)} MB a token; flashmoe reads ` +
  `${show(pairs.map((pair) => pair.ours.decode_gbps), 1)} GB/s of a roof of ` +
  `${show(pairs.map((pair) => pair.ours.roof_gbps), 1)}: ${show(share, 0)} %`);
