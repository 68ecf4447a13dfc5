// Tests run in a browser-like document without a backend; whatever needs one lives in the end-to-end tests.
import { afterEach } from "vitest";

afterEach(() => {
  document.body.innerHTML = "";
  localStorage.clear();
});
