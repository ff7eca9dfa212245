import { useImperativeHandle, useLayoutEffect } from "react";
import { useTranslation } from "react-i18next";
import { useWishes } from "@/account/preferences";
import { useReplica } from "@/replica/react";
import { remember } from "./memory";
import { useField } from "./field";
import type { WritingProps } from "./writing";

/** The body in a plain field: until the editor is there, and where it can't be loaded. */
export function Plain({ id, text, onChange, ref }: WritingProps) {
  const { t } = useTranslation("note");
  const replica = useReplica();
  const { editor } = useWishes();
  const { ref: field, ...props } = useField(text, onChange);

  useLayoutEffect(() => {
    const { current } = field;
    if (!current) return;
    return () => {
      if (document.activeElement !== current) return;
      const { selectionStart: anchor, selectionEnd: head } = current;
      remember(replica, id, { focused: true, selection: { anchor, head } });
    };
  }, [replica, id, field]);

  useImperativeHandle(ref, () => ({
    focus(at) {
      field.current?.focus();
      if (at) field.current?.setSelectionRange(0, 0);
    },
  }));

  return (
    <textarea
      {...props}
      ref={field}
      aria-label={t("body")}
      placeholder={t("placeholder")}
      spellCheck={editor.spellcheck}
      className="note-text block min-h-[60vh] w-full resize-none bg-transparent pb-[30vh] outline-none placeholder:text-soft [field-sizing:content]"
    />
  );
}
