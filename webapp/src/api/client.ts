import createClient from "openapi-fetch";
import { problem } from "./problem";
import type { components, paths } from "./schema";
import { authorized, reach } from "./session";

export type Schemas = components["schemas"];

/** The API behind the gateway, typed by its OpenAPI, as who is logged in. */
export const api = createClient<paths>({ baseUrl: location.origin, fetch: authorized });

/** The API for who is not logged in. */
export const open = createClient<paths>({ baseUrl: location.origin, fetch: reach });

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** What was asked for; rejects with a Problem where the answer is one. */
export async function data<T>(answer: Promise<Answer<T>>): Promise<T> {
  const { data, error, response } = await answer;
  if (!response.ok) throw problem(response, error);
  return data as T;
}
