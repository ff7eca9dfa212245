/** Bounds of a note, as the server has them. */
export const maxTitle = 200;
export const maxBody = 1 << 20;

/** How many characters a text has, as the server counts them. */
export const characters = (text: string) => [...text].length;

/** How many bytes of UTF-8 a body has beyond what a note can hold. */
export function excess(body: string): number {
  // No character has more than three bytes for each of its UTF-16 units.
  if (body.length * 3 <= maxBody) return 0;
  return Math.max(0, new TextEncoder().encode(body).length - maxBody);
}

/** A note as one text. */
export function asMarkdown({ title, body }: { title: string; body: string }): string {
  return title ? `# ${title}\n\n${body}` : body;
}

/** A name for a file with the note, which every system takes. */
export function fileName(title: string, untitled: string): string {
  const name = title
    .replace(/[\\/:*?"<>|\p{C}]+/gu, " ")
    .replace(/\s+/g, " ")
    .replace(/^[. ]+|[. ]+$/g, "");
  return ([...name].slice(0, 80).join("").trim() || untitled) + ".md";
}

/** The body with the first task's box at or after an offset ticked, or not any more. */
export function toggleTask(body: string, offset: number): string {
  const box = /\[[ xX]\]/g;
  box.lastIndex = offset;
  const found = box.exec(body);
  if (!found) return body;
  return body.slice(0, found.index) + (found[0] === "[ ]" ? "[x]" : "[ ]") + body.slice(found.index + 3);
}
