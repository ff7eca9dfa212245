import { act, fireEvent, render, screen } from "@testing-library/react";
import { expect, test, vi } from "vitest";
import { useField } from "./field";

interface Props {
  value: string;
  onChange?: (text: string, before: string) => void;
  clean?: (text: string) => string;
}

function Field({ value, onChange = () => undefined, clean }: Props) {
  const { ref, ...props } = useField(value, onChange, clean);
  return <textarea ref={ref} {...props} />;
}

const field = () => screen.getByRole<HTMLTextAreaElement>("textbox");

test("a field shows what was changed elsewhere, and leaves the cursor where it was", () => {
  const { rerender } = render(<Field value="one two" />);
  field().setSelectionRange(4, 7);
  rerender(<Field value="zero one two" />);
  expect([field().value, field().selectionStart, field().selectionEnd]).toEqual(["zero one two", 9, 12]);
});

test("a field tells what was written, and in what", () => {
  const onChange = vi.fn();
  render(<Field value={"a\r\nb"} onChange={onChange} />);
  fireEvent.input(field(), { target: { value: "a\nb!" } });
  expect(onChange).toHaveBeenCalledExactlyOnceWith("a\nb!", "a\nb");
});

test("a field corrects what may not be in it", () => {
  const onChange = vi.fn();
  render(<Field value="a" onChange={onChange} clean={(text) => text.replaceAll("\n", " ")} />);
  fireEvent.input(field(), { target: { value: "a\nb" } });
  expect(field().value).toBe("a b");
  expect(onChange).toHaveBeenCalledExactlyOnceWith("a b", "a");
});

test("a field keeps what comes from elsewhere back while a character is composed", () => {
  const onChange = vi.fn();
  const { rerender } = render(<Field value="a" onChange={onChange} />);
  fireEvent.compositionStart(field());
  rerender(<Field value="a and theirs" onChange={onChange} />);
  expect(field().value).toBe("a");
  fireEvent.input(field(), { target: { value: "aか" } });
  expect(onChange).toHaveBeenCalledExactlyOnceWith("aか", "a");
  rerender(<Field value="aか and theirs" onChange={onChange} />);
  act(() => void fireEvent.compositionEnd(field()));
  expect(field().value).toBe("aか and theirs");
});
