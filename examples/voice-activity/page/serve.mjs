// Serves the page, the built package and one model, to this machine alone.
import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.json': 'application/json',
  '.wasm': 'application/wasm',
};
const HOME = '/examples/voice-activity/page/';

export function serve(model, net, port = 8080) {
  const made = new Map([
    [`${HOME}model.onnx`, model],
    [`${HOME}net.json`, JSON.stringify(net)],
  ]);
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url, 'http://localhost');
    try {
      if (pathname === '/') {
        response.writeHead(302, { location: HOME }).end();
        return;
      }
      const path = normalize(decodeURIComponent(pathname));
      const isOurs = path.startsWith('/dist/') || path.startsWith(HOME);
      if (!isOurs || path.includes('..')) throw new Error('not served');
      const file = path.endsWith('/') ? `${path}index.html` : path;
      const body = made.get(file) ?? (await readFile(join(root, file)));
      const type = TYPES[extname(file)] ?? 'application/octet-stream';
      response.writeHead(200, { 'content-type': type }).end(body);
    } catch {
      response.writeHead(404).end('not found');
    }
  });
  server.listen(port, '127.0.0.1', () => {
    console.log(`http://localhost:${server.address().port}/ listens; Ctrl-C ends it`);
  });
  return server;
}
