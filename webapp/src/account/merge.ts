/** A JSON object of leaves, as preferences are; null in a patch takes a value back (RFC 7396). */
export interface Tree {
  readonly [name: string]: Tree | string | number | boolean | null;
}

const isTree = (value: unknown): value is Tree => typeof value === "object" && value !== null && !Array.isArray(value);

/** Two patches as one: `patch` counts over what it is laid upon. */
export function over(patch: Tree, below: Tree): Tree {
  const out: Record<string, Tree[string]> = { ...below };
  for (const [name, value] of Object.entries(patch)) {
    const there = below[name];
    out[name] = isTree(value) && isTree(there) ? over(value, there) : value;
  }
  return out;
}

/** What a patch leaves of values. */
export function applied(patch: Tree, values: Tree): Tree {
  return pruned(over(patch, values), (value) => value !== null);
}

/** What of a patch is still to be sent, when `sent` was. */
export function without(patch: Tree, sent: Tree): Tree {
  return pruned(patch, (value, path) => value !== at(sent, path));
}

/** The values whose JSON pointers are picked. */
export function picked(values: Tree, pick: (pointer: string) => boolean): Tree {
  return pruned(values, (_, path) => pick("/" + path.join("/")));
}

export const isEmpty = (tree: Tree): boolean => Object.keys(tree).length === 0;

type Leaf = Exclude<Tree[string], Tree>;
type Path = readonly string[];

/** The tree with the leaves that are to be kept, and no empty branches. */
function pruned(tree: Tree, keep: (value: Leaf, path: Path) => boolean, above: Path = []): Tree {
  const out: Record<string, Tree[string]> = {};
  for (const [name, value] of Object.entries(tree)) {
    const path = [...above, name];
    const kept = isTree(value) ? pruned(value, keep, path) : value;
    if (isTree(kept) ? !isEmpty(kept) : keep(kept, path)) out[name] = kept;
  }
  return out;
}

function at(tree: Tree, path: Path): Tree[string] | undefined {
  return path.reduce<Tree[string] | undefined>((here, name) => (isTree(here) ? here[name] : undefined), tree);
}
