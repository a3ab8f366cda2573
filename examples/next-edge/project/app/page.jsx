import { Writer } from './writer.jsx';

export default function Page() {
  return (
    <main>
      <h1>Words from the edge</h1>
      <p>
        An edge route continues what you begin, and sends every word as it is drawn. The page can do
        it too, by the same model: with the same seed it draws the same words.
      </p>
      <Writer />
    </main>
  );
}
