import { type ReactNode, useId } from "react";
import { useTranslation } from "react-i18next";
import { type Language, languages, speak } from "@/i18n";
import { useTitle } from "@/ui/page";

interface Props {
  title: string;
  /** A sentence or two under the title. */
  lead?: ReactNode;
  children?: ReactNode;
  /** Ways to other pages, under the card. */
  beside?: ReactNode;
}

/** The page of who is not logged in: one card on paper. */
export function Card({ title, lead, children, beside }: Props) {
  const id = useId();
  useTitle(title);
  return (
    <div className="flex min-h-full flex-col items-center bg-page px-4 pt-[max(1.5rem,7vh)] pb-[max(1rem,env(safe-area-inset-bottom))]">
      <header className="mb-6 flex items-center gap-3">
        <img src="/icons/icon.svg" alt="" className="size-10" />
        <span className="font-serif text-2xl tracking-tight">Trellis</span>
      </header>
      <main aria-labelledby={id} className="w-full max-w-sm">
        <div className="rounded-2xl border border-line bg-surface p-5 shadow-[0_1px_2px_rgb(0_0_0/0.04)] sm:p-7">
          <h1 id={id} className="font-serif text-2xl text-balance">
            {title}
          </h1>
          {lead && <div className="mt-2 wrap-anywhere text-soft">{lead}</div>}
          {children && <div className="mt-5">{children}</div>}
        </div>
        {beside && <div className="mt-5 text-center text-soft">{beside}</div>}
      </main>
      <div className="flex-1" />
      <footer className="mt-8">
        <LanguageSwitch />
      </footer>
    </div>
  );
}

function LanguageSwitch() {
  const { t, i18n } = useTranslation("auth");
  return (
    <nav aria-label={t("language")} className="flex gap-1 text-sm">
      {(Object.keys(languages) as Language[]).map((language) => (
        <button
          key={language}
          type="button"
          lang={language}
          aria-pressed={i18n.language === language}
          onClick={() => void speak(language)}
          className="min-h-10 rounded-lg px-3 text-soft hover:bg-sunken hover:text-ink aria-pressed:font-medium aria-pressed:text-ink"
        >
          {languages[language]}
        </button>
      ))}
    </nav>
  );
}
