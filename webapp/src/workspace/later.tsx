import { type ReactNode, Suspense } from "react";
import { Boundary } from "@/ui/boundary";
import { lazily } from "@/ui/lazily";

// What appears over the page takes a good part of what the whole page does, and is not needed to begin.
const load = () => import("./over");

export const AccountMenu = lazily(async () => ({ default: (await load()).AccountMenu }));
export const Drawer = lazily(async () => ({ default: (await load()).Drawer }));
export const Erase = lazily(async () => ({ default: (await load()).Erase }));
export const LogOutDialog = lazily(async () => ({ default: (await load()).LogOutDialog }));
export const RowMenu = lazily(async () => ({ default: (await load()).RowMenu }));
export const SortMenu = lazily(async () => ({ default: (await load()).SortMenu }));
export const SyncPanel = lazily(async () => ({ default: (await load()).SyncPanel }));

/** Has them at hand before they are needed. */
export function preload(): void {
  for (const part of [AccountMenu, Drawer, Erase, LogOutDialog, RowMenu, SortMenu, SyncPanel]) part.preload().catch(() => undefined);
}

/** Where one of them appears, or another thing without which the page goes on. */
export function Later({ children }: { children: ReactNode }) {
  return (
    <Boundary instead={null}>
      <Suspense>{children}</Suspense>
    </Boundary>
  );
}
