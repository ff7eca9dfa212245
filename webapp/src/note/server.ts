import { api, data, type Schemas } from "@/api/client";
import type { Replica } from "@/replica/types";

export type Share = Schemas["Share"];
/** What a note's text was; the body is not in lists. */
export type Revision = Schemas["Revision"];
export type ShareRole = "viewer" | "editor";

export async function sharesOf(id: string, signal: AbortSignal): Promise<readonly Share[]> {
  const page = await data(api.GET("/v1/notes/{id}/shares", { params: { path: { id } }, signal }));
  return page.data;
}

/** Shares a note with somebody, or gives them another role. */
export const share = (id: string, user: string, role: ShareRole): Promise<Share> =>
  data(
    api.POST("/v1/notes/{id}/shares", {
      params: { path: { id }, header: { "Idempotency-Key": crypto.randomUUID() } },
      body: { user, role },
    }),
  );

export async function unshare({ note_id: id, id: sid }: Share): Promise<void> {
  await data(api.DELETE("/v1/notes/{id}/shares/{sid}", { params: { path: { id, sid } } }));
}

/** What a note was, the latest first, without the bodies. */
export async function revisionsOf(id: string, signal: AbortSignal): Promise<readonly Revision[]> {
  const page = await data(api.GET("/v1/notes/{id}/revisions", { params: { path: { id } }, signal }));
  return page.data;
}

export const revision = (id: string, rev: number, signal: AbortSignal): Promise<Revision> =>
  data(api.GET("/v1/notes/{id}/revisions/{rev}", { params: { path: { id, rev } }, signal }));

/** Has a note at a version say again what it said in a revision; resolves when this device has it. */
export async function restore(replica: Replica, id: string, rev: number, version: number): Promise<void> {
  const note = await data(
    api.POST("/v1/notes/{id}/revisions/{rev}/restore", {
      params: { path: { id, rev }, header: { "If-Match": `"${version}"` } },
    }),
  );
  replica.pull();
  await here(replica, id, note.version);
}

/** Resolves when this device has a version of a note, or can't have it any more. */
function here(replica: Replica, id: string, version: number): Promise<void> {
  return new Promise((resolve) => {
    const look = () => {
      const note = replica.snapshot().notes.get(id);
      if (note && note.version < version) return;
      unsubscribe();
      resolve();
    };
    const unsubscribe = replica.subscribe(look);
    look();
  });
}
