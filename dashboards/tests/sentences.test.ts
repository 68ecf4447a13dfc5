import { afterEach, expect, test } from "vitest";
import { problemOf } from "@/api/problem";
import { Matcher } from "@/i18n/matcher";
import { loadSentences, reason, sentence, words } from "@/i18n/sentences";
import catalogue from "@/i18n/sentences.zh.json";

const chinese = new Matcher(catalogue);

afterEach(() => loadSentences("en"));

test("a sentence is told with its codes and quantities as they are", () => {
  expect(chinese.sentence("3 of TEA-250 can be taken there, 5 were asked for.")).toBe("那里可取 TEA-250 3，要求 5。");
});

test("a value made of words of ours is translated, too", () => {
  expect(chinese.sentence("This goes to a place of kind staging or pack_bench, not to A-01.")).toBe("此货应放到暂存区或包装台类型的库位，而不是 A-01。");
  expect(chinese.sentence("R-7 is under way; it does not depart.")).toBe("R-7 状态为配送中，不会发车。");
  expect(chinese.sentence("Go to A-01-1; this is pallet 340123450000000015.")).toBe("请到 A-01-1；这是托盘 340123450000000015。");
});

test("a sentence inside a sentence is translated, too", () => {
  expect(chinese.sentence("A-01-1 has 5 each of TEA-250, of which 2 are reserved; 6 cannot be taken.")).toBe("A-01-1 有 TEA-250 5 件，其中 2 已预留；无法取 6。");
  expect(chinese.sentence("The goods were taken or promised to an order since. A-01 has 1 each of TEA; 6 cannot be taken.")).toBe("此后货物已被取走或预留给订单。A-01 有 TEA 1 件；无法取 6。");
});

test("what is joined is told part by part", () => {
  expect(chinese.sentence("quantity: Input should be greater than 0; lines.0.sku: Field required")).toBe("quantity：必须大于 0；lines.0.sku：必填");
  expect(chinese.sentence("S-1 is full: it has room for 3, this is 5. Take A-01-2.")).toBe("S-1 已满：还能放 3，而这里有 5。请改用 A-01-2。");
  expect(chinese.sentence("A-01-1 is a bin (A-01-1). Expected is a bin, proposed A-02-1.")).toBe("A-01-1 是库位（A-01-1）。应为库位，推荐 A-02-1。");
  expect(chinese.sentence("R1 at DOCK-1 says nothing since 10:00:00 UTC. no connection")).toBe("R1（DOCK-1）自 10:00:00 UTC 起无信号。no connection");
  expect(chinese.sentence("R-7 is not done: Anna (D-1) was not visited; 00340 is aboard. Deliver or unload first.")).toBe("R-7 尚未完成：未到访 Anna（D-1）；00340 仍在车上。请先交付或卸车。");
});

test("why something is not planned is told from its parts", () => {
  expect(chinese.sentence("Nearest is a place where VAN-1 (08:00) after Anna (D-1) would be 12 min late at Berta (D-2), 5 min of overtime. It fits with that much more time there, or with one vehicle more.")).toBe(
    "最接近的位置是：VAN-1 (08:00) 在 Anna (D-1) 之后将在 Berta (D-2) 迟到 12 分钟、加班 5 分钟。多出这些时间或多一辆车即可。",
  );
  expect(chinese.sentence("VAN-1 (08:00) has time for it after Anna (D-1), and is full: it fits with 12.0 kg less, or once 12.0 kg are taken off that vehicle.")).toBe(
    "VAN-1 (08:00) 在 Anna (D-1) 之后有时间，但已满：减少 12.0 千克，或从该车减去 12.0 千克即可。",
  );
  expect(chinese.sentence("VAN-1 would carry 1200.0 kg of 800.0 kg and 12 cartons of 10 cartons.")).toBe("VAN-1 将装载 1200.0 千克（上限 800.0 千克）和 12 箱（上限 10 箱）。");
});

test("what it would take is told in one sentence", () => {
  expect(chinese.sentence("It fits Van 1 at 10:00 if the window opens 5 minutes earlier and the driver goes without the rest with 3 minutes overtime.")).toBe(
    "Van 1 可在 10:00 送达，前提是时间窗提前 5 分钟开始和司机不休息（加班 3 分钟）。",
  );
});

test("what is not in the catalogue stays as it came", () => {
  for (const text of ["The account is frozen by accounting.", "Insufficient stock on move 17", "SO-1", "请扫描物料", ""]) expect(chinese.sentence(text)).toBe(text);
  expect(chinese.words("Green tea, 250 g")).toBe("Green tea, 250 g");
});

test("what a person wrote as a reason stays, what the system wrote is told", () => {
  expect(chinese.reason("received in R-100012")).toBe("在 R-100012 中收货");
  expect(chinese.reason("put away in A-01: nearer to the door")).toBe("上架到 A-01：nearer to the door");
  expect(chinese.reason("The door is closed.")).toBe("The door is closed.");
});

const VALUES = ["17", "28", "39", "41", "52", "63"];
const alone = Object.entries(catalogue.sentences).filter(([english]) => !/^[ ,;]/.test(english) && english.replace(/\{\d+\}/g, "").replace(/[^A-Za-z]/g, "").length >= 8 && !english.includes("}{"));

test("no template takes the sentence of another", () => {
  const wrong = alone.flatMap(([english, told]) => {
    const ours = new Set([...told.matchAll(/<(\d+)>/g)].map((match) => Number(match[1])));
    const word = (n: number) => (n === 0 && english.startsWith("{0}") ? ["12 min", "12 分钟"] : ["quarantine", "隔离区"]);
    const value = (n: number) => (ours.has(n) ? (word(n)[0] ?? "") : told.includes(`{${n}}`) ? (VALUES[n] ?? "") : "s");
    const text = english.replace(/\{(\d+)\}/g, (_, n: string) => value(Number(n)));
    const expected = told.replace(/[{<](\d+)[}>]/g, (_, n: string) => (ours.has(Number(n)) ? (word(Number(n))[1] ?? "") : (VALUES[Number(n)] ?? "")));
    const found = chinese.sentence(text);
    return found.replaceAll(" ", "") === expected.replaceAll(" ", "") ? [] : [`${english} -> ${found}`];
  });
  expect(wrong).toEqual([]);
});

test("only a Chinese screen loads the catalogue, and a problem is told in its language", async () => {
  const body = { type: "/problems/not-found", title: "Not found", detail: "There is no such item.", errors: [{ field: "sku", detail: "Field required" }], expected: "a tote" };
  expect(problemOf(404, body).body).toMatchObject(body);
  await loadSentences("zh");
  expect(problemOf(404, body).body).toMatchObject({ detail: "没有此物料。", errors: [{ field: "sku", detail: "必填" }], expected: "周转箱" });
  expect([sentence(null), words(undefined), reason("opening stock")]).toEqual([null, undefined, "期初库存"]);
});
