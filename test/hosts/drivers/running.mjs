// What several cases use and one of them starts: browsers, servers of frameworks.
const running = new Map();

/** What `start` gives, something with `close`; the same for the same key until all is closed. */
export async function once(key, start) {
  if (!running.has(key)) running.set(key, start());
  return running.get(key);
}

export async function closeAll() {
  const all = await Promise.allSettled(running.values());
  running.clear();
  for (const { value } of all.reverse()) await value?.close();
}
