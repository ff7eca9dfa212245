import type { ReactNode } from "react";
import { Link } from "wouter";

/** Where to go on from a page that is done. */
export function Way({ href, children }: { href: string; children: ReactNode }) {
  return (
    <Link
      href={href}
      className="flex min-h-10 items-center justify-center rounded-lg bg-accent px-4 font-medium text-on-accent hover:brightness-110"
    >
      {children}
    </Link>
  );
}
