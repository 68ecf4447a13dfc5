// What only some vehicles may carry, as a sign and a word: chilled, frozen and hazardous goods, and free words beside them.
import { IconFlame, IconSnowflake, IconTag, IconTemperatureMinus, type Icon } from "@tabler/icons-react";
import { Shape, useWord } from "./State";
import classes from "./Goods.module.css";

const SIGNS: Record<string, Icon> = { chilled: IconTemperatureMinus, frozen: IconSnowflake, hazard: IconFlame };
/** The classes that a vehicle is for, or not; ambient goods go with any. */
export const GOODS = Object.keys(SIGNS);

export const isGoods = (skill: string): boolean => skill in SIGNS;

/** `lacking`: those of them that the vehicle does not list. */
export function Goods({ of, lacking = [] }: { of: readonly string[]; lacking?: readonly string[] }) {
  const word = useWord();
  if (of.length === 0) return null;
  return (
    <span className={classes.goods} data-testid="goods">
      {of.map((one) => {
        const Sign = SIGNS[one] ?? IconTag;
        return (
          <span key={one} data-goods={one} data-lacking={lacking.includes(one) || undefined}>
            {lacking.includes(one) ? <Shape tone="bad" size={9} /> : <Sign size="1.15em" stroke={1.9} aria-hidden />}
            {isGoods(one) ? word("storage", one) : one}
          </span>
        );
      })}
    </span>
  );
}
