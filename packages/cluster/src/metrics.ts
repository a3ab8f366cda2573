/** What a worker counts, for Prometheus. */

import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import type { Stores } from './store.ts';

export class Metrics {
  readonly registry: Registry = new Registry();
  readonly jobs: Counter<'kind' | 'end'>;
  readonly records: Counter<'end'>;
  readonly seconds: Histogram<'kind'>;
  readonly stalled: Counter;
  readonly active: Gauge;

  constructor(stores: Stores) {
    const registers = [this.registry];
    collectDefaultMetrics({ register: this.registry });
    this.jobs = new Counter({
      name: 'gatefold_jobs_total',
      help: 'Jobs by kind, and how they ended: done, retried or set aside',
      labelNames: ['kind', 'end'],
      registers,
    });
    this.records = new Counter({
      name: 'gatefold_records_total',
      help: 'Records with a result, and those that were skipped',
      labelNames: ['end'],
      registers,
    });
    this.seconds = new Histogram({
      name: 'gatefold_job_seconds',
      help: 'How long jobs took',
      labelNames: ['kind'],
      buckets: [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300],
      registers,
    });
    this.stalled = new Counter({
      name: 'gatefold_stalled_total',
      help: 'Jobs of dead workers that this worker put back',
      registers,
    });
    this.active = new Gauge({
      name: 'gatefold_active_jobs',
      help: 'Jobs in work',
      registers,
    });
    for (const which of ['read', 'written'] as const) {
      const key = which === 'read' ? 'bytesRead' : 'bytesWritten';
      new Counter({
        name: `gatefold_store_${which}_bytes_total`,
        help: `Bytes ${which} in all stores`,
        registers,
        collect() {
          this.reset();
          this.inc(stores[key]);
        },
      });
    }
  }

  /** Serves `/metrics` and `/healthz`. */
  listen(port: number, host: string): Server {
    const server = createServer((request, response) => {
      if (request.url === '/healthz') return void response.end('ok\n');
      if (request.url !== '/metrics') return void response.writeHead(404).end();
      void this.registry.metrics().then((text) => {
        response.setHeader('content-type', this.registry.contentType);
        response.end(text);
      });
    });
    return server.listen(port, host);
  }
}
