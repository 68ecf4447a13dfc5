import js from "@eslint/js";
import hooks from "eslint-plugin-react-hooks";
import tseslint from "typescript-eslint";

// Every sentence a person reads comes from src/i18n: words in markup or in a labelling attribute fail the build.
const WORDS = "/[A-Za-z\\u4e00-\\u9fff]{2,}/";
const noTextInCode = [
  { selector: `JSXText[value=${WORDS}]`, message: "Text belongs in src/i18n: use t()." },
  {
    selector: `JSXAttribute[name.name=/^(label|title|placeholder|description|aria-label|alt)$/] > Literal[value=${WORDS}]`,
    message: "Text belongs in src/i18n: use t().",
  },
];

export default tseslint.config(
  { ignores: ["dist*", "src/api/schema.d.ts", "node_modules"] },
  js.configs.recommended,
  ...tseslint.configs.strict,
  hooks.configs.flat["recommended-latest"],
  {
    rules: {
      "no-restricted-syntax": ["error", ...noTextInCode],
      "@typescript-eslint/consistent-type-imports": "error",
      "@typescript-eslint/no-non-null-assertion": "error",
    },
  },
  {
    // Screens and components take data from src/data: they know neither URLs nor the client.
    files: ["src/screens/**", "src/components/**"],
    rules: {
      "no-restricted-imports": ["error", { patterns: [{ group: ["@/api/client", "**/api/client"], message: "Use src/data/*." }] }],
    },
  },
);
