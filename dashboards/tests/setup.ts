// Tests run in a browser-like document without a backend; whatever needs one lives in the end-to-end tests.
import { configure } from "@testing-library/react";
import { afterEach } from "vitest";

configure({ asyncUtilTimeout: 30_000 });

afterEach(() => {
  document.body.innerHTML = "";
  localStorage.clear();
});
