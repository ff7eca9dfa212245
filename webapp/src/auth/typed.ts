let address = "";

/** Who one said to be, so that it need not be typed again on the next of these pages. */
export const typed = {
  get address(): string {
    return address;
  },
  note({ name, value }: HTMLInputElement): void {
    if (name === "email" || name === "login") address = value;
  },
};
