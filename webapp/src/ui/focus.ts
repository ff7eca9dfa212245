let before = document.activeElement instanceof HTMLElement ? document.activeElement : undefined;

const over = "[role=dialog], [role=alertdialog], [role=menu]";

document.addEventListener("focusin", ({ target }) => {
  if (target instanceof HTMLElement && !target.closest(over)) before = target;
});
document.addEventListener("focusout", ({ target, relatedTarget }) => {
  if (!relatedTarget && target instanceof Element && !target.closest(over)) before = undefined;
});

/**
 * Gives the focus back to what had it before dialogs and menus came over the
 * page. Radix does so for a dialog that has a trigger, and ours have none.
 */
export const focusBack = (): void => before?.focus({ preventScroll: true });
