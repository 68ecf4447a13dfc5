import { expect, test } from "vitest";
import { compareDecimal, groupDigits, isZero, minus, trimDecimal } from "@/components/numbers";

test("a quantity is shown without noise and without floats", () => {
  expect(trimDecimal("12.500000")).toBe("12.5");
  expect(trimDecimal("100")).toBe("100");
  expect(trimDecimal("0.000000")).toBe("0");
  expect(groupDigits("1234567.890000")).toBe("1,234,567.89");
  expect(groupDigits("-12000")).toBe("−12,000");
  expect(groupDigits("123456789012345678.000001")).toBe("123,456,789,012,345,678.000001");
});

test("differences of quantities are exact", () => {
  expect(minus("0.3", "0.1")).toBe("0.2");
  expect(minus("10", "12.5")).toBe("-2.5");
  expect(minus("123456789012345678", "1")).toBe("123456789012345677");
  expect(compareDecimal("2.50", "2.5")).toBe(0);
  expect(isZero("-0.000")).toBe(true);
});
