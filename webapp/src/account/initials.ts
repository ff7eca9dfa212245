/** The first letters of a name's first and last words, as the server draws them. */
export function initials(name: string): string {
  const letters = name.split(/\s+/).flatMap((word) => /[\p{L}\p{N}]/u.exec(word)?.[0].toLocaleUpperCase() ?? []);
  return (letters[0] ?? "?") + (letters.length > 1 ? letters.at(-1) : "");
}
