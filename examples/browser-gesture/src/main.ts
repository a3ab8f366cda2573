// The page: a pad to draw on, a chart of the training, and what the model guesses.
import { Engine, seededRandom } from 'gatefold';
import { draw } from '../../common/chart.mjs';
import { Classifier, forget, loadExamples, saveExamples } from './classifier.ts';
import { EXAMPLES, varied } from './strokes.ts';

const NAMES = Object.keys(EXAMPLES);
/** What is drawn is not to be learned, but guessed. */
const GUESS = '?';
/** Strokes of each name that a training needs: one of them is kept apart. */
const LEAST = 4;

const at = <T extends Element = HTMLElement>(id: string): T => document.querySelector<T>(`#${id}`)!;
const pad = at<HTMLCanvasElement>('pad');
const pen = pad.getContext('2d')!;
const button = (id: string): HTMLButtonElement => at<HTMLButtonElement>(id);
const engine = await Engine.create();
const random = seededRandom(2);
let examples = await loadExamples();
let classifier = await Classifier.load(engine);

function say(text: string, failed = false): void {
  at('state').textContent = text;
  at('state').classList.toggle('failed', failed);
}

const countOf = (name: string): number => examples.filter((own) => own.name === name).length;
const chosen = (): string => document.querySelector<HTMLInputElement>('input:checked')!.value;

/** Names to choose from, with how often each was drawn. */
function show(choice: string): void {
  const labels = [GUESS, ...NAMES].map((name) => {
    const label = document.createElement('label');
    const input = Object.assign(document.createElement('input'), {
      type: 'radio',
      name: 'name',
      value: name,
      checked: name === choice,
      disabled: name === GUESS && !classifier,
    });
    const text = name === GUESS ? 'for the page to guess' : `a ${name} (${countOf(name)})`;
    label.append(input, ` ${text}`);
    return label;
  });
  at('names').replaceChildren(at('names').firstElementChild!, ...labels);
  const isEnough = NAMES.every((name) => countOf(name) >= LEAST);
  button('train').disabled = !isEnough;
  button('forget').disabled = examples.length === 0 && !classifier;
  if (!isEnough) say(`Draw every gesture ${LEAST} times to train.`);
}

function guess(stroke: readonly number[]): void {
  const guesses = classifier!.guess(stroke);
  const best = Math.max(...guesses.map(({ probability }) => probability));
  const rows = guesses.flatMap(({ name, probability }) => {
    const [term, bar, share] = ['dt', 'dd', 'dd'].map((tag) => document.createElement(tag));
    term!.textContent = name;
    term!.classList.toggle('best', probability === best);
    const meter = Object.assign(document.createElement('meter'), { value: probability });
    meter.setAttribute('aria-label', name);
    bar!.append(meter);
    share!.textContent = `${(100 * probability).toFixed(1)} %`;
    return [term!, bar!, share!];
  });
  at('guesses').replaceChildren(...rows);
}

async function train(): Promise<void> {
  const [training, validation]: [number[], number[]] = [[], []];
  const started = performance.now();
  for (const id of ['train', 'made-up', 'forget']) button(id).disabled = true;
  at('learned').hidden = false;
  const next = Classifier.create(engine, NAMES);
  try {
    let sum = 0;
    await next.learn(examples, ({ epoch, epochs, update, updates, loss, validationLoss }) => {
      at<HTMLProgressElement>('progress').value = update / updates;
      say(`Epoch ${epoch} of ${epochs}`);
      sum += loss;
      if (validationLoss === undefined) return;
      training.push((sum * epochs) / updates);
      validation.push(validationLoss);
      sum = 0;
      at('training').textContent = training.at(-1)!.toPrecision(2);
      at('validation').textContent = validationLoss.toPrecision(2);
      draw(at('chart'), [
        { name: 'training', start: 1, values: training },
        { name: 'validation', start: 1, values: validation },
      ]);
    });
    classifier?.model.dispose();
    classifier = next;
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    show(GUESS);
    say(`Trained in ${seconds} s, and saved: it is still here after a reload. Draw for a guess.`);
  } catch (error) {
    next.model.dispose();
    say((error as Error).message, true);
  } finally {
    for (const id of ['train', 'made-up', 'forget']) button(id).disabled = false;
  }
}

async function add(name: string, stroke: readonly number[]): Promise<void> {
  examples.push({ name, stroke });
  show(name);
  await saveExamples(examples);
}

/** Draws with what presses on the pad, and then takes the stroke. */
function drawWith({ pointerId }: PointerEvent): void {
  const stroke: number[] = [];
  pad.setPointerCapture(pointerId);
  pen.reset();
  pen.strokeStyle = getComputedStyle(pad).color;
  Object.assign(pen, { lineWidth: 6, lineCap: 'round', lineJoin: 'round' });
  pad.onpointermove = (event) => {
    const scale = pad.width / pad.clientWidth;
    // A pen may have moved several times since the last event.
    const events = event.getCoalescedEvents?.() ?? [];
    for (const { offsetX, offsetY } of events.length ? events : [event]) {
      stroke.push(Math.round(scale * offsetX), Math.round(scale * offsetY));
    }
    pen.clearRect(0, 0, pad.width, pad.height);
    pen.beginPath();
    for (let k = 0; k < stroke.length; k += 2) pen.lineTo(stroke[k]!, stroke[k + 1]!);
    pen.stroke();
  };
  pad.onpointerup = pad.onpointercancel = () => {
    pad.onpointermove = pad.onpointerup = pad.onpointercancel = null;
    if (stroke.length < 8) return;
    if (chosen() === GUESS) guess(stroke);
    else void add(chosen(), stroke);
  };
}

pad.onpointerdown = drawWith;
button('train').onclick = train;
button('made-up').onclick = async () => {
  for (const [name, stroke] of Object.entries(EXAMPLES)) {
    for (let k = 0; k < LEAST; k++) examples.push({ name, stroke: varied(stroke, random) });
  }
  await saveExamples(examples);
  say('');
  show(chosen());
};
button('forget').onclick = async () => {
  await forget();
  classifier?.model.dispose();
  [examples, classifier] = [[], undefined];
  pen.reset();
  at('guesses').replaceChildren();
  at('learned').hidden = true;
  show(NAMES[0]!);
};
show(classifier ? GUESS : NAMES[0]!);
if (classifier) say('Loaded what was learned here before. Draw for a guess.');
