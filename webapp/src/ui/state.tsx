import type { ReactNode } from "react";

/** What is shown where there is nothing to show: why, and what can be done. */
export function Empty({ icon, title, children, action }: { icon: ReactNode; title: string; children?: ReactNode; action?: ReactNode }) {
  return (
    <div className="flex h-full flex-col items-center justify-center gap-3 p-8 text-center">
      <div aria-hidden className="text-line-strong [&_svg]:size-10 [&_svg]:stroke-[1.25]">
        {icon}
      </div>
      <h2 className="text-lg font-semibold">{title}</h2>
      {children && <p className="max-w-sm text-balance text-soft">{children}</p>}
      {action}
    </div>
  );
}

const tones = {
  plain: "border-line bg-sunken",
  warn: "border-warn bg-warn-soft text-warn",
  danger: "border-danger bg-danger-soft text-danger",
};

/** A line across a pane that stays while it is true. */
export function Banner({ tone = "plain", children, action }: { tone?: keyof typeof tones; children: ReactNode; action?: ReactNode }) {
  return (
    <div role="status" className={`flex flex-wrap items-center gap-x-4 gap-y-1 border-b px-4 py-2 ${tones[tone]}`}>
      <div className="min-w-0 flex-1">{children}</div>
      {action}
    </div>
  );
}

/** Grey where text will be. */
export function Skeleton({ className = "" }: { className?: string }) {
  return <div aria-hidden className={`animate-pulse rounded bg-sunken ${className}`} />;
}
