import { LoaderCircle } from "lucide-react";

/** Something is on its way; who shows it says what, in words or by aria-busy. */
export function Spinner({ className = "size-4" }: { className?: string }) {
  return <LoaderCircle aria-hidden className={`animate-spin ${className}`} />;
}
