// Runs this suite against a server of its own:
//
//   node run.mjs FLASHMOE FOLDER [MODEL TEST]
//
// The clients are installed into FOLDER. TEST is a file that is run alone, with MODEL (relative to
// the folder that FLASHMOE_REFERENCE_MODELS names) instead of the bundled model. Where npm cannot
// install the clients or there is no such model, the exit code is 77: skipped.
import {spawn, spawnSync} from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import {fileURLToPath} from 'node:url';

const kSkipped = 77;
const here = path.dirname(fileURLToPath(import.meta.url));
const [program, folder, model, only] = process.argv.slice(2);

function install() {
  fs.mkdirSync(folder, {recursive: true});
  for (const name of fs.readdirSync(here)) {
    if (/\.(mjs|json)$/.test(name)) fs.copyFileSync(path.join(here, name), path.join(folder, name));
  }
  const lock = fs.readFileSync(path.join(here, 'package-lock.json'), 'utf8');
  const installed = path.join(folder, 'node_modules', '.installed-lock');
  if (fs.existsSync(installed) && fs.readFileSync(installed, 'utf8') === lock) return;
  const npm = spawnSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'],
                        {cwd: folder, encoding: 'utf8', timeout: 300_000});
  if (npm.status !== 0) {
    console.log(`skipped: npm cannot install the clients here\n${npm.stderr ?? npm.error}`);
    process.exit(kSkipped);
  }
  fs.writeFileSync(installed, lock);
}

function modelOption() {
  if (!model) return [];
  const file = path.join(process.env.FLASHMOE_REFERENCE_MODELS ?? '', model);
  if (process.env.FLASHMOE_REFERENCE_MODELS && fs.existsSync(file)) return ['--model', file];
  console.log(`skipped: FLASHMOE_REFERENCE_MODELS does not name a folder that has ${model}`);
  process.exit(kSkipped);
}

// Resolves to the server's address once it answers.
function address(server) {
  return new Promise((resolve, reject) => {
    let text = '';
    server.stdout.on('data', (data) => {
      text += data;
      const url = text.match(/ at (http:\S+)\n/);
      if (url) resolve(url[1]);
    });
    server.on('exit', (code) => reject(new Error(`the server ended with ${code}`)));
  });
}

const options = modelOption();
install();
const server = spawn(program, ['serve', '--port', '0', ...options], {stdio: ['ignore', 'pipe', 'inherit']});
const ended = new Promise((resolve) => server.on('exit', resolve));
const env = {...process.env, FLASHMOE_URL: await address(server)};
const tests = spawnSync(process.execPath, ['--test', '--test-concurrency=1', ...(only ? [only] : [])],
                        {cwd: folder, env, stdio: 'inherit'});
server.kill('SIGTERM');
const code = await ended;
if (code !== 0) console.log(`the server ended with ${code}`);
process.exit(tests.status === 0 && code === 0 ? 0 : 1);
