/** One element of a document, without its children. */
export interface XmlElement {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
  /** Of itself and of all inside. */
  text: string;
}

const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"' };

function plain(text: string): string {
  if (/&(?!(?:lt|gt|amp|quot);)|<|[^\t\n\r -\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u.test(text)) {
    throw new Error(`not XML: ${text}`);
  }
  return text.replace(/&(\w+);/g, (_, name: string) => ENTITIES[name]!);
}

/**
 * The elements of an XML document in their order; an error where it is not well formed. Knows what
 * an SVG file of ours may hold.
 */
export function parseXml(document: string): XmlElement[] {
  const elements: XmlElement[] = [];
  const open: XmlElement[] = [];
  const token = /<(\/?)([a-zA-Z]+)((?:\s+[\w:-]+="[^"<]*")*)\s*(\/?)>|([^<]+)/gy;
  let end = 0;
  for (const [whole, closes, name, attributes, empty, text] of document.matchAll(token)) {
    end += whole.length;
    if (text !== undefined) {
      if (open.length === 0 && text.trim()) throw new Error('text outside of the root');
      for (const element of open) element.text += plain(text);
    } else if (closes) {
      if (open.pop()?.name !== name) throw new Error(`</${name}> closes another element`);
    } else {
      if (open.length === 0 && elements.length > 0) throw new Error('more than one root');
      const given = [...attributes!.matchAll(/([\w:-]+)="([^"]*)"/g)];
      const map = new Map(given.map(([, key, value]) => [key!, plain(value!)]));
      if (map.size !== given.length) throw new Error(`an attribute twice: ${whole}`);
      elements.push({ name: name!, attributes: map, text: '' });
      if (!empty) open.push(elements.at(-1)!);
    }
  }
  if (end !== document.length) throw new Error(`not XML: ${document.slice(end, end + 80)}`);
  if (open.length > 0) throw new Error(`<${open.at(-1)!.name}> is not closed`);
  return elements;
}
