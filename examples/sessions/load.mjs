// A client of the server: a sequence whose steps come at random times.
import { once } from 'node:events';
import { WebSocket } from 'ws';
import { seededRandom } from '../../dist/node.js';

/** Frame `step` of client `k`: every client has others. */
export function frameOf(k, step, inputs) {
  return Float32Array.from({ length: inputs }, (_, i) => Math.sin(0.7 * k + 0.3 * i + 0.1 * step));
}

export class Client {
  #k;
  #random;
  #socket;
  #id;
  /** Outputs of all steps, and milliseconds from a frame to its outputs. */
  outputs = [];
  delays = [];

  constructor(k, seed) {
    this.#k = k;
    this.#random = seededRandom(seed + k);
  }

  /** Connects to a server, with the session that it has, if any. */
  async connect(port) {
    const query = this.#id ? `?id=${this.#id}` : '';
    this.#socket = new WebSocket(`ws://127.0.0.1:${port}/${query}`);
    const refused = once(this.#socket, 'close').then(([code, reason]) => {
      throw new Error(`closed: ${code} ${reason}`);
    });
    refused.catch(() => {});
    const [hello] = await Promise.race([once(this.#socket, 'message'), refused]);
    const { id, steps, inputs } = JSON.parse(hello);
    if (steps !== this.outputs.length) throw new Error(`the server has ${steps} steps`);
    this.#id = id;
    this.inputs = inputs;
  }

  /** Steps at random times, so many a second, until there are `steps` or the server ends. */
  async run(steps, rate) {
    const socket = this.#socket;
    const closed = once(socket, 'close');
    while (this.outputs.length < steps) {
      const pauseMs = (-Math.log(1 - this.#random()) / rate) * 1e3;
      await Promise.race([new Promise((resolve) => setTimeout(resolve, pauseMs)), closed]);
      if (socket.readyState !== WebSocket.OPEN) break;
      const start = performance.now();
      const answer = once(socket, 'message');
      socket.send(frameOf(this.#k, this.outputs.length, this.inputs));
      const [data] = await Promise.race([answer, closed]);
      if (!(data instanceof Buffer)) break;
      this.delays.push(performance.now() - start);
      this.outputs.push(new Float32Array(Uint8Array.from(data).buffer));
    }
  }

  close() {
    this.#socket?.close();
  }
}
