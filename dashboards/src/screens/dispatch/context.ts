// What every part of the board needs to know: the day, how each vehicle looks, who may change it, and the moves.
import { createContext, useContext } from "react";
import { lookOf, type Look } from "@/map/marks";
import type { Moves } from "./useMoves";

export interface BoardTools {
  day: string;
  looks: ReadonlyMap<string, Look>;
  mayPlan: boolean;
  moves: Moves;
}

export const BoardContext = createContext<BoardTools | null>(null);

export function useBoard(): BoardTools {
  const tools = useContext(BoardContext);
  if (!tools) throw new Error("a part of the board stands outside of it");
  return tools;
}

export const lookIn = (looks: ReadonlyMap<string, Look>, code: string): Look => looks.get(code) ?? lookOf(0);
