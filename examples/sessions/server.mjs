// Live sessions over WebSockets and HTTP. A process of its own: main.mjs starts it, or
//
//   node examples/sessions/server.mjs --model FILE --states FOLDER [--port N]
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { parseArgs } from 'node:util';
import { Counter, Gauge, Histogram, Summary, collectDefaultMetrics, register } from 'prom-client';
import { WebSocketServer } from 'ws';
import { Engine, SessionPool, enableFastLane, loadModelFile } from '../../dist/node.js';
import { States } from './states.mjs';

const { values: options } = parseArgs({
  options: {
    model: { type: 'string' },
    states: { type: 'string' },
    port: { type: 'string', default: '8080' },
    slots: { type: 'string', default: '1024' },
    latency: { type: 'string', default: '2' },
  },
});
/** Steps of a client that may wait, and milliseconds after which a session without one is saved. */
const [MAX_WAITING, IDLE_MS] = [64, 60_000];
const MAX_BODY = 2 ** 20;

const engine = await Engine.create({ wide: enableFastLane().enabled });
const model = await loadModelFile(engine, options.model);
model.warmUp({ batch: Number(options.slots) });
const states = new States(options.states);
const pool = SessionPool.create(model, {
  slots: Number(options.slots),
  maxLatency: Number(options.latency),
  onBatch: (steps) => batchSizes.observe(steps),
});
/** Open sessions by id, and those whose states are being written. */
const open = new Map();
const leaving = new Map();
let isEnding = false;

collectDefaultMetrics();
const named = (name, help) => ({ name: `gatefold_${name}`, help });
new Gauge({
  ...named('sessions', 'Open sessions'),
  collect() {
    this.set(open.size);
  },
});
const steps = new Counter(named('steps_total', 'Steps; rate() gives those of a second'));
const refused = new Counter(named('refused_total', 'Sessions that found no slot'));
const batchSizes = new Histogram({
  ...named('batch_size', 'Steps that ran together'),
  buckets: [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024],
});
const latency = new Summary({
  ...named('step_seconds', 'From a step that has come in to its outputs'),
  percentiles: [0.5, 0.9, 0.99],
  maxAgeSeconds: 60,
  ageBuckets: 6,
});

/** What nobody waits for. */
const report = (error) => console.error(error.message);

/** A session and the steps that its client has sent: they run one after the other. */
class Live {
  #session;
  #last = Promise.resolve();
  #timer;
  waiting = 0;
  steps;

  constructor(id, session, done) {
    this.id = id;
    this.#session = session;
    this.steps = done;
    this.#rest();
  }

  static async start(id = randomUUID(), saved = { steps: 0 }) {
    let session;
    try {
      if (isEnding) throw new Error('this process ends');
      session = await pool.open(saved.state);
    } catch (error) {
      refused.inc();
      if (saved.state) await states.save(id, saved);
      throw error;
    }
    const live = new Live(id, session, saved.steps);
    open.set(id, live);
    return live;
  }

  /** The session of an id: one of this process, or one whose states lie there. */
  static async find(id) {
    await leaving.get(id);
    return open.get(id) ?? Live.start(id, await states.take(id));
  }

  step(x) {
    if (this.waiting >= MAX_WAITING) throw new Error(`${MAX_WAITING} steps wait already`);
    const end = latency.startTimer();
    this.waiting++;
    clearTimeout(this.#timer);
    const result = this.#last.then(() => this.#session.step(x));
    this.#last = result
      .then(
        () => {
          end();
          steps.inc();
          this.steps++;
        },
        () => {},
      )
      .then(() => {
        if (--this.waiting === 0) this.#rest();
      });
    return result;
  }

  #rest() {
    this.#timer = setTimeout(() => this.leave().catch(report), IDLE_MS);
  }

  /** Gives the slot to others; the states lie ready for any process. */
  async leave() {
    if (!open.has(this.id)) return leaving.get(this.id);
    const saved = this.#close().then((own) => states.save(this.id, own));
    leaving.set(this.id, saved);
    await saved;
    leaving.delete(this.id);
  }

  async end() {
    if (open.has(this.id)) await this.#close();
  }

  async #close() {
    open.delete(this.id);
    clearTimeout(this.#timer);
    await this.#last;
    const state = this.#session.save();
    this.#session.close();
    clearTimeout(this.#timer);
    return { steps: this.steps, state };
  }
}

async function bodyOf(request) {
  const parts = [];
  let size = 0;
  for await (const part of request) {
    size += part.length;
    if (size > MAX_BODY) throw new Error('the body is too long');
    parts.push(part);
  }
  return JSON.parse(Buffer.concat(parts).toString());
}

/** POST /sessions, POST and DELETE /sessions/ID, GET /metrics, GET /health. */
async function answer(request, response) {
  const [, first, id] = new URL(request.url, 'http://localhost').pathname.split('/');
  const send = (status, body, type = 'application/json') =>
    response.writeHead(status, { 'content-type': type }).end(body);
  const what = `${request.method} ${first}${id ? '/' : ''}`;
  if (what === 'GET metrics') return send(200, await register.metrics(), register.contentType);
  if (what === 'GET health') return send(isEnding ? 503 : 200, JSON.stringify({ isEnding }));
  if (what === 'POST sessions') return send(201, JSON.stringify({ id: (await Live.start()).id }));
  if (what === 'POST sessions/') {
    const { x } = await bodyOf(request);
    const live = await Live.find(id);
    const y = await live.step(x);
    return send(200, JSON.stringify({ steps: live.steps, y: [...y] }));
  }
  if (what === 'DELETE sessions/') {
    await (await Live.find(id)).end();
    return send(204);
  }
  return send(404, JSON.stringify({ error: 'no such place' }));
}

/** What a client has done wrong is 400, what another process may do is 503. */
const statusOf = (error) => {
  if (error.message === 'no such session') return 404;
  return isEnding || error.code === 'ERR_STATE' ? 503 : 400;
};

const server = createServer((request, response) => {
  answer(request, response).catch((error) => {
    response.writeHead(statusOf(error), { 'content-type': 'application/json' });
    response.end(JSON.stringify({ error: error.message }));
  });
});

const sockets = new WebSocketServer({ server, maxPayload: 4 * model.inputSize });
/** A message is the float32 of a step, the answer those of its outputs; first comes the id. */
sockets.on('connection', async (socket, request) => {
  const id = new URL(request.url, 'http://localhost').searchParams.get('id');
  const early = [];
  socket.on('message', (data) => early.push(data));
  socket.on('error', () => {});
  try {
    const live = await (id ? Live.find(id) : Live.start());
    // Of a session that goes on another socket no longer speaks.
    live.socket?.terminate();
    live.socket = socket;
    const run = async (data) => {
      try {
        const bytes = data.buffer.slice(data.byteOffset, data.byteOffset + data.length);
        socket.send(await live.step(new Float32Array(bytes)));
      } catch (error) {
        socket.close(isEnding ? 1012 : 1008, error.message.slice(0, 120));
      }
    };
    socket.on('close', () => {
      if (live.socket === socket) live.leave().catch(report);
    });
    socket.off('message', socket.listeners('message')[0]);
    socket.on('message', run);
    socket.send(JSON.stringify({ id: live.id, steps: live.steps, inputs: model.inputSize }));
    early.forEach(run);
  } catch (error) {
    socket.close(statusOf(error) === 503 ? 1013 : 1008, error.message.slice(0, 120));
  }
});

/** Steps that have come in are answered, and the states of all sessions saved. */
async function end() {
  if (isEnding) return;
  isEnding = true;
  server.close();
  server.closeIdleConnections();
  const all = [...open.values()];
  await Promise.all(all.map((live) => live.leave().catch(report)));
  for (const socket of sockets.clients) socket.close(1012, 'go on elsewhere');
  pool.dispose();
  process.disconnect?.();
  setTimeout(() => process.exit(), 2000).unref();
}
process.on('SIGTERM', end);
process.on('SIGINT', end);

server.listen(Number(options.port), '127.0.0.1');
await once(server, 'listening');
const { port } = server.address();
console.log(`http://127.0.0.1:${port}/metrics`);
process.send?.({ port });
