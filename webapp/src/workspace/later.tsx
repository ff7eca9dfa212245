import { lazy, type ReactNode, Suspense } from "react";
import { Boundary } from "./boundary";

// What appears over the page takes a good part of what the whole page does, and is not needed to begin.
const load = () => import("./overlays");

export const AccountMenu = lazy(async () => ({ default: (await load()).AccountMenu }));
export const Drawer = lazy(async () => ({ default: (await load()).Drawer }));
export const Erase = lazy(async () => ({ default: (await load()).Erase }));
export const LogOutDialog = lazy(async () => ({ default: (await load()).LogOutDialog }));
export const RowMenu = lazy(async () => ({ default: (await load()).RowMenu }));
export const SortMenu = lazy(async () => ({ default: (await load()).SortMenu }));
export const SyncPanel = lazy(async () => ({ default: (await load()).SyncPanel }));

/** Has them at hand before they are needed. */
export const preload = () => void load().catch(() => undefined);

/** Where one of them appears, or another thing without which the page goes on. */
export function Later({ children }: { children: ReactNode }) {
  return (
    <Boundary instead={null}>
      <Suspense>{children}</Suspense>
    </Boundary>
  );
}
