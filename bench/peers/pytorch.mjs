/**
 * Native PyTorch, one thread, in a process of its own that does the timing: where a python3 on this
 * machine has it.
 */
import { execFileSync, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { lacksKind, training } from '../cases.mjs';

/**
 * What `PYTHON` names, what comes first on the path, Debian's: whose PyTorch multiplies without an
 * optimised BLAS, ten times slower.
 */
const PYTHONS = [process.env.PYTHON, 'python3', '/usr/bin/python3'].filter(Boolean);

const [python, version] = find();

export const name = 'pytorch';
export { version };

function find() {
  for (const python of PYTHONS) {
    try {
      const program = 'import torch; print(torch.__version__)';
      const options = { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] };
      return [python, `${execFileSync(python, ['-c', program], options).trim()}, 1 thread`];
    } catch {
      continue;
    }
  }
  throw new Error('no python3 here can import torch');
}

export function lacks(benchCase) {
  return lacksKind(benchCase) ?? (benchCase.kind === 'int8' ? 'not compared' : undefined);
}

const encode = (floats) =>
  Buffer.from(floats.buffer, floats.byteOffset, floats.byteLength).toString('base64');

export async function prepare(benchCase, { parameters, x, target }) {
  const script = fileURLToPath(new URL('pytorch.py', import.meta.url));
  const child = spawn(python, [script], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ask = async (request) => {
    child.stdin.write(`${JSON.stringify(request)}\n`);
    const { value, done } = await lines.next();
    if (done) throw new Error('the process of PyTorch has ended');
    return JSON.parse(value);
  };
  const { layer } = benchCase;
  const named = [...parameters].map(([key, { shape, data }]) => [
    key.slice(layer.type.length + 1),
    shape,
    encode(data),
  ]);
  const data = { parameters: named, x: encode(x), target: encode(target) };
  await ask({ prepare: { ...benchCase, ...data, training } });
  let output;
  return {
    async run() {
      const bytes = Buffer.from((await ask({ run: 1 })).output, 'base64');
      output = new Float32Array(new Uint8Array(bytes).buffer);
    },
    result: () => output,
    timeRound: async (ms) => (await ask({ time: ms })).ms,
    dispose: () => child.stdin.end(),
  };
}
