import { act, fireEvent, render, screen } from "@testing-library/react";
import { Suspense } from "react";
import { afterEach, beforeAll, expect, test, vi } from "vitest";
import { start } from "@/i18n";
import { Boundary } from "./boundary";
import { lazily } from "./lazily";

beforeAll(() => start());
afterEach(() => void vi.restoreAllMocks());

const module = { default: ({ name }: { name: string }) => <p>Hello {name}</p> };

const show = (Part: ReturnType<typeof lazily<{ name: string }>>) =>
  act(async () =>
    render(
      <Boundary>
        <Suspense fallback="waiting">
          <Part name="Ann" />
        </Suspense>
      </Boundary>,
    ),
  );

test("what was preloaded is drawn at once", async () => {
  const load = vi.fn(async () => module);
  const Part = lazily(load);
  await Part.preload();
  render(<Part name="Ann" />);
  expect(screen.getByText("Hello Ann")).toBeTruthy();
  expect(load).toHaveBeenCalledTimes(1);
});

test("what was not is loaded when it is drawn, with its texts", async () => {
  const Part = lazily(async () => module, "auth");
  await show(Part);
  expect(await screen.findByText("Hello Ann")).toBeTruthy();
});

test("what can't be loaded is said, and can be tried again", async () => {
  vi.spyOn(console, "error").mockImplementation(() => undefined);
  let down = true;
  const Part = lazily(async () => {
    if (down) throw new TypeError("Failed to fetch dynamically imported module");
    return module;
  });
  await show(Part);
  expect(await screen.findByRole("heading", { name: "This could not be loaded" })).toBeTruthy();
  const again = () => act(async () => void fireEvent.click(screen.getByRole("button", { name: "Try again" })));
  await again();
  expect(screen.getByRole("heading", { name: "This could not be loaded" })).toBeTruthy();
  down = false;
  await again();
  expect(screen.getByText("Hello Ann")).toBeTruthy();
});

test("what could not be had ahead is loaded when it is drawn", async () => {
  const load = vi.fn(async () => module);
  load.mockRejectedValueOnce(new TypeError("Failed to fetch dynamically imported module"));
  const Part = lazily(load);
  await expect(Part.preload()).rejects.toThrow("Failed to fetch");
  await show(Part);
  expect(await screen.findByText("Hello Ann")).toBeTruthy();
});
