import { type InputEvent, type SubmitEvent, useEffect, useRef, useState } from "react";
import { flushSync } from "react-dom";
import { useTranslation } from "react-i18next";
import { Problem } from "@/api/problem";
import { explain } from "@/ui/explain";
import { type Flaws, placed } from "./flaws";
import { typed } from "./typed";

interface Options<F extends string> {
  /** The names of its inputs, which are those of the request. */
  fields: readonly F[];
  /** What is wrong before the server is asked, as codes. */
  check?: (values: Record<F, string>) => Partial<Record<F, string | false>>;
  /** Which field a problem is about that names none, by its code. */
  about?: Record<string, F>;
  /** Sends it; what it rejects with is told. */
  send: (values: Record<F, string>, form: HTMLFormElement) => Promise<void>;
}

export interface Form<F extends string> {
  /** For the <form>. Its inputs are uncontrolled: what was typed stays, whatever happens. */
  props: {
    noValidate: true;
    onSubmit: (event: SubmitEvent<HTMLFormElement>) => void;
    onInput: (event: InputEvent<HTMLFormElement>) => void;
  };
  /** What is wrong with a field, in words. */
  flaw: (field: F) => string | undefined;
  flaws: Flaws<F>;
  /** What is wrong with none of them, in words. */
  problem: string | undefined;
  /** For how many seconds the server wants to be left alone. */
  wait: number;
  busy: boolean;
}

/** A form of a few fields and a button. */
export function useForm<F extends string>({ fields, check, about, send }: Options<F>): Form<F> {
  const { t } = useTranslation("auth");
  const [flaws, setFlaws] = useState<Flaws<F>>({});
  const [failure, setFailure] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const [wait, setWait] = useCountdown();
  const sending = useRef(false);

  /** Tells what is wrong and leads to the first of it, or back to where one was. */
  function refuse(form: HTMLFormElement, flaws: Flaws<F>, failure?: unknown, was?: Element | null) {
    flushSync(() => {
      setBusy(false);
      setFlaws(flaws);
      setFailure(failure);
      setWait(seconds(failure));
    });
    const first = [...form.elements].find((e) => e instanceof HTMLInputElement && e.name in flaws);
    const to = first ?? was;
    if (to instanceof HTMLElement) to.focus();
  }

  async function submit(form: HTMLFormElement) {
    if (sending.current || wait > 0) return;
    const values = read(form, fields);
    const wrong = Object.entries<string | false | undefined>(check?.(values) ?? {}).filter(([, code]) => code);
    if (wrong.length) return refuse(form, Object.fromEntries(wrong.map(([f, code]) => [f, { code }])) as Flaws<F>);
    const was = document.activeElement;
    sending.current = true;
    setBusy(true);
    setFlaws({});
    setFailure(undefined);
    try {
      await send(values, form);
      setBusy(false);
    } catch (err) {
      const { flaws, rest } = placed(err, fields, about);
      refuse(form, flaws, rest ? err : undefined, was);
    } finally {
      sending.current = false;
    }
  }

  const over = seconds(failure) > 0 && wait === 0;
  return {
    props: {
      noValidate: true,
      onSubmit: (event) => {
        event.preventDefault();
        void submit(event.currentTarget);
      },
      onInput: ({ target }) => {
        if (!(target instanceof HTMLInputElement)) return;
        typed.note(target);
        const { name } = target;
        if (name in flaws) setFlaws(Object.fromEntries(Object.entries(flaws).filter(([f]) => f !== name)) as Flaws<F>);
      },
    },
    flaw: (field) => {
      const flaw = flaws[field];
      return flaw && t([`flaw.${field}.${flaw.code}`, `flaw.${flaw.code}`], { defaultValue: flaw.detail ?? flaw.code });
    },
    flaws,
    problem: failure === undefined || over ? undefined : told(failure),
    wait,
    busy,
  };

  function told(failure: unknown): string {
    if (wait > 0) return t("problem.often");
    const said = explain(failure, t);
    return failure instanceof Problem ? t("problem." + failure.code, { defaultValue: said }) : said;
  }
}

function read<F extends string>(form: HTMLFormElement, fields: readonly F[]): Record<F, string> {
  const entries = new FormData(form);
  return Object.fromEntries(fields.map((f) => [f, String(entries.get(f) ?? "")])) as Record<F, string>;
}

const seconds = (failure: unknown) =>
  failure instanceof Problem && failure.status === 429 ? (failure.retryAfter ?? 0) : 0;

/** Seconds that go by, down to 0. */
function useCountdown(): [number, (seconds: number) => void] {
  const [until, setUntil] = useState(0);
  const [left, setLeft] = useState(0);
  useEffect(() => {
    if (!until) return;
    const timer = setInterval(() => {
      const rest = Math.max(0, Math.ceil((until - Date.now()) / 1000));
      setLeft(rest);
      if (!rest) setUntil(0);
    }, 250);
    return () => clearInterval(timer);
  }, [until]);
  return [
    left,
    (seconds) => {
      setLeft(seconds);
      setUntil(seconds && Date.now() + seconds * 1000);
    },
  ];
}
