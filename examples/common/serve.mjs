// Serves a page of an example, the built package and files that are only in memory, to this machine
// alone.
import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.css': 'text/css',
  '.json': 'application/json',
  '.wasm': 'application/wasm',
};

/**
 * @param {string} example Its folder; the page is `page/index.html` in it.
 * @param {Record<string, Uint8Array>} files By their names beside the page.
 * @param {string} does What the page does, for the line that says where it is; empty for none.
 */
export function serve(example, files, does, port = 8080) {
  const home = `/examples/${example}/page/`;
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url, 'http://localhost');
    try {
      if (pathname === '/') {
        response.writeHead(302, { location: home }).end();
        return;
      }
      const path = normalize(decodeURIComponent(pathname));
      const isOurs = path.startsWith('/dist/') || path.startsWith('/examples/');
      if (!isOurs || path.includes('..')) throw new Error('not served');
      const file = path.endsWith('/') ? `${path}index.html` : path;
      const name = file.startsWith(home) ? file.slice(home.length) : '';
      const body = Object.hasOwn(files, name) ? files[name] : await readFile(join(root, file));
      response.writeHead(200, { 'content-type': TYPES[extname(file)] ?? 'text/plain' }).end(body);
    } catch {
      response.writeHead(404).end('not found');
    }
  });
  server.listen(port, '127.0.0.1', () => {
    const { port } = server.address();
    if (does) console.log(`http://localhost:${port}/ ${does}; Ctrl-C ends it`);
  });
  return server;
}
