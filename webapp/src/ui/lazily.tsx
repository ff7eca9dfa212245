import { type ComponentType, use } from "react";
import { loadTexts, type Part } from "@/i18n";

/** The code of a part of the page could not be had: the network is gone, or a newer build has taken its place. */
export class Absent extends Error {
  override readonly name = "Absent";

  constructor(
    message: string,
    /** Has it loaded once more when it is drawn next. */
    readonly forget: () => void,
  ) {
    super(message);
  }
}

/** A component that has the code it needs, and its texts, when it is drawn, or earlier. */
export type Lazy<P> = ComponentType<P> & {
  /** Has them at hand. Rejects with Absent. */
  preload: () => Promise<void>;
};

/**
 * A component whose code is loaded when it is needed. Unlike React's lazy it
 * is drawn at once where it was preloaded: React waits up to 300 ms before it
 * replaces a fallback, however short that was needed.
 */
export function lazily<P extends object>(load: () => Promise<{ default: ComponentType<P> }>, ...parts: Part[]): Lazy<P> {
  let loading: Promise<ComponentType<P>> | undefined;
  const forget = () => {
    loading = undefined;
  };
  const begin = () =>
    (loading ??= settled(
      Promise.all([load(), loadTexts(parts)]).then(
        ([module]) => module.default,
        (err: unknown) => {
          throw new Absent(String(err), forget);
        },
      ),
    ));
  const Lazy = (props: P) => {
    const Of = use(begin());
    return <Of {...props} />;
  };
  const preload = async () => {
    try {
      await begin();
    } catch (err) {
      forget();
      throw err;
    }
  };
  return Object.assign(Lazy, { preload });
}

/** Has a promise say what became of it, so that use() takes that without waiting (React's FulfilledReactPromise). */
function settled<T>(promise: Promise<T>): Promise<T> {
  promise.then(
    (value) => Object.assign(promise, { status: "fulfilled", value }),
    () => undefined,
  );
  return promise;
}
