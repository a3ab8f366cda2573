'use client';
// The client component: asks the edge route, or runs the model in the page.
import { useState } from 'react';
import { openModel, writeWords } from '../story.mjs';

const COUNT = 60;

async function* fromEdge(wanted) {
  const response = await fetch('/write', { method: 'POST', body: JSON.stringify(wanted) });
  if (!response.ok) throw new Error(`the route answered ${response.status}`);
  let rest = '';
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = (rest + value).split('\n');
    rest = lines.pop();
    yield* lines;
  }
}

async function* fromPage(wanted) {
  yield* writeWords(await openModel(), wanted);
}

const WRITERS = { 'on the edge': fromEdge, 'in this page': fromPage };

/** Words as a text: no space before a full stop, a capital letter after it. */
const asText = (words) =>
  words
    .join(' ')
    .replaceAll(' .', '.')
    .replace(/(?<=\. )\p{L}/gu, (letter) => letter.toUpperCase());

export function Writer() {
  const [text, setText] = useState('The tired shepherds who live by the mill');
  const [seed, setSeed] = useState(1);
  const [written, setWritten] = useState({});
  const [isBusy, setBusy] = useState(false);

  async function write(name) {
    setBusy(true);
    const words = [];
    const begun = performance.now();
    const show = (more) =>
      setWritten((before) => ({ ...before, [name]: { words: [...words], ...more } }));
    try {
      let first;
      for await (const word of WRITERS[name]({ text, seed, count: COUNT })) {
        first ??= performance.now() - begun;
        words.push(word);
        show({});
      }
      const [firstMs, allMs] = [first, performance.now() - begun].map((ms) => ms.toFixed(0));
      show({ took: `first word after ${firstMs} ms, all ${words.length} after ${allMs} ms` });
    } catch ({ message }) {
      show({ took: message });
    } finally {
      setBusy(false);
    }
  }

  return (
    <>
      <label>
        Begin with
        <textarea
          rows="2"
          maxLength="1000"
          value={text}
          onChange={(e) => setText(e.target.value)}
        />
      </label>
      <p className="row">
        <label>
          seed{' '}
          <input
            type="number"
            min="0"
            max={2 ** 32 - 1}
            value={seed}
            onChange={(e) => setSeed(Number(e.target.value))}
          />
        </label>
        {Object.keys(WRITERS).map((name) => (
          <button key={name} disabled={isBusy} onClick={() => write(name)}>
            Write {name}
          </button>
        ))}
      </p>
      {Object.entries(written).map(([name, { words, took }]) => (
        <section key={name} aria-label={`Written ${name}`}>
          <h2>Written {name}</h2>
          <p className="words">{asText([text, ...words])} …</p>
          <p role="status">{took ?? ''}</p>
        </section>
      ))}
    </>
  );
}
