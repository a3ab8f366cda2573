// How words get wrong, and the ruler that says how wrong.

const KEYBOARD = ['qwertyuiop', 'asdfghjkl', 'zxcvbnm'];
const NEIGHBOURS = new Map(
  KEYBOARD.flatMap((row, y) =>
    [...row].map((key, x) => {
      const near = [-1, 0, 1].flatMap((dy) => [-1, 0, 1].map((dx) => KEYBOARD[y + dy]?.[x + dx]));
      return [key, near.filter((other) => other && other !== key)];
    }),
  ),
);

const insert = (word, at, text) => word.slice(0, at) + text + word.slice(at);
const without = (word, at) => word.slice(0, at) + word.slice(at + 1);

/** One slip of a finger or of the memory. */
function slip(word, random) {
  const at = random.below(word.length);
  const key = word[at];
  switch (random.below(6)) {
    case 0:
      return word.length > 2 ? without(word, at) : word;
    case 1:
      return insert(word, at, key);
    case 2:
      return insert(word, at, random.pick(NEIGHBOURS.get(key)));
    case 3:
      return insert(without(word, at), at, random.pick(NEIGHBOURS.get(key)));
    case 4: {
      const vowels = [...'aeiou'].filter((vowel) => vowel !== key);
      const places = [...word].flatMap((letter, i) => ('aeiou'.includes(letter) ? [i] : []));
      const place = places.length ? random.pick(places) : at;
      return insert(without(word, place), place, random.pick(vowels));
    }
    default: {
      const first = Math.min(at, word.length - 2);
      return insert(without(word, first), first + 1, word[first]);
    }
  }
}

/**
 * The word as somebody may type it: now and then right, mostly with one slip, sometimes with two.
 */
export function mistype(word, random) {
  const slips = random.pick([0, 1, 1, 1, 1, 1, 1, 1, 2, 2]);
  let typed = word;
  for (let i = 0; i < slips; i++) typed = slip(typed, random);
  return typed;
}

/** The fewest insertions, deletions and changes that make b of a (Levenshtein). */
export function distance(a, b) {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, row[j] + 1, next[j - 1] + 1));
    }
    row = next;
  }
  return row[b.length];
}
