// The edge route: words as they are drawn, not when all of them are.
import { MOST, openModel, writeWords } from '../../story.mjs';

export const runtime = 'edge';

/** What a request may ask for, or undefined. */
async function read(request) {
  const { text, seed, count } = await request.json().catch(() => ({}));
  const isWhole = (value, most) => Number.isInteger(value) && value >= 0 && value <= most;
  if (typeof text !== 'string' || text.length > 1000) return undefined;
  return isWhole(seed, 2 ** 32 - 1) && isWhole(count, MOST) ? { text, seed, count } : undefined;
}

export async function POST(request) {
  const wanted = await read(request);
  if (!wanted) return new Response('expected { text, seed, count }', { status: 400 });
  const words = writeWords(await openModel(), wanted);
  const encoder = new TextEncoder();
  const body = new ReadableStream({
    pull(controller) {
      const { done, value } = words.next();
      if (done) controller.close();
      else controller.enqueue(encoder.encode(`${value}\n`));
    },
    // Nobody reads on: the model's stream ends too.
    cancel: () => void words.return(),
  });
  return new Response(body, { headers: { 'content-type': 'text/plain; charset=utf-8' } });
}
