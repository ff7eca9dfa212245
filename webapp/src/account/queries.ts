import { queryOptions } from "@tanstack/react-query";
import { api, data, type Schemas } from "@/api/client";

export type Profile = Schemas["Profile"];
export type Job = Schemas["AccountJob"];

/** What the account's pages read, each under one name. */
export const profile = queryOptions({
  queryKey: ["profile"],
  queryFn: () => data(api.GET("/v1/profile")),
});

export const sessions = queryOptions({
  queryKey: ["sessions"],
  queryFn: async () => (await data(api.GET("/v1/auth/sessions"))).data,
});

export const jobs = queryOptions({
  queryKey: ["jobs"],
  queryFn: async () => (await data(api.GET("/v1/account/jobs"))).data,
  refetchInterval: ({ state }) => pollIn(state.data ?? [], Date.now()),
});

/** Whether something is still being done for a job now. */
export const isRunning = (job: Job): boolean => job.status === "waiting" || job.status === "running";

/** In how many milliseconds to look at jobs again: the longer one takes, the less often. */
export function pollIn(jobs: readonly Job[], now: number): number | false {
  const ages = jobs.filter(isRunning).map((job) => now - Date.parse(job.created_at));
  return ages.length > 0 && Math.min(Math.max(Math.min(...ages) / 4, 1_000), 15_000);
}
