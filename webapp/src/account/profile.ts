import * as z from "zod/mini";
import { api, data, type Schemas } from "@/api/client";
import { Problem } from "@/api/problem";

type Profile = Schemas["Profile"];

export const maxName = 100;
export const maxBio = 1000;

/** How many characters a text has as the server counts them. */
export const lengthOf = (text: string): number => [...text].length;

const upTo = (max: number) => z.string().check(z.trim(), z.refine((text) => lengthOf(text) <= max, "too_long"));

/** What a user says of themselves. An error's message is its code. */
export const said = z.object({
  display_name: upTo(maxName),
  bio: upTo(maxBio),
  locale: z.string(),
  timezone: z.string(),
});

export type Said = z.infer<typeof said>;
export type Field = keyof Said;
export const fields: readonly Field[] = ["display_name", "bio", "locale", "timezone"];

export const saidIn = (profile: Profile): Said => ({
  display_name: profile.display_name,
  bio: profile.bio,
  locale: profile.locale,
  timezone: profile.timezone,
});

/** The same field was changed elsewhere, to something else: who typed decides. */
export class Clash extends Error {
  constructor(
    readonly current: Profile,
    readonly about: readonly Field[],
  ) {
    super("changed elsewhere: " + about.join(", "));
  }
}

/**
 * Saves what was changed of a profile. If that is another by now, what was
 * changed here is changed there; rejects with a Clash where both changed.
 */
export async function save(base: Profile, mine: Partial<Said>, send = patch): Promise<Profile> {
  try {
    return await send(base.version, mine);
  } catch (err) {
    if (!(err instanceof Problem && err.status === 412)) throw err;
    const current = err.current as Profile;
    const about = fields.filter((f) => f in mine && current[f] !== base[f] && current[f] !== mine[f]);
    if (about.length > 0) throw new Clash(current, about);
    return save(current, mine, send);
  }
}

function patch(version: number, body: Partial<Said>): Promise<Profile> {
  return data(api.PATCH("/v1/profile", { params: { header: { "If-Match": `"${version}"` } }, body }));
}
