import { render, waitFor } from "@testing-library/react";
import { expect, test } from "vitest";
import { useBadge } from "./badge";

function Badge({ unread }: { unread: number }) {
  useBadge(unread);
  return null;
}

test("the title has the number, whoever changes it", async () => {
  document.title = "Notes · Trellis";
  const { rerender, unmount } = render(<Badge unread={3} />);
  expect(document.title).toBe("(3) Notes · Trellis");
  document.title = "(a) plan · Trellis";
  await waitFor(() => expect(document.title).toBe("(3) (a) plan · Trellis"));
  rerender(<Badge unread={100} />);
  expect(document.title).toBe("(99+) (a) plan · Trellis");
  rerender(<Badge unread={0} />);
  expect(document.title).toBe("(a) plan · Trellis");
  rerender(<Badge unread={1} />);
  unmount();
  expect(document.title).toBe("(a) plan · Trellis");
});
