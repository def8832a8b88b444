import { type DocumentFields, readDocument } from "./document-fields.ts";
import { RULES_KIND } from "./document-kinds.ts";
import { NAMES_PARTS, type NamesBehind, type NamesPart, type RulesDocument } from "./rules-document.ts";

/**
 * Reads the routing document as stored.
 *
 * @throws {SwitchyardError} `RULES_MALFORMED`; `STORE_FORMAT_NEWER` if a later version of the program wrote it
 */
export function parseRules(text: string): RulesDocument {
  const fields = readDocument(RULES_KIND, text);
  return {
    format: 2,
    generation: fields.count("generation"),
    default: fields.text("default"),
    tables: fields.map("tables", (rule) => ({ to: rule.text("to"), migration: rule.text("migration") })),
    armed: fields.map("armed", (rule) => ({
      token: rule.text("token"),
      tables: rule.texts("tables"),
      newHome: rule.text("newHome"),
      ...rule.optionalCount("endPinnedAfterMs"),
    })),
    holds: fields.map("holds", (rule) => ({
      token: rule.text("token"),
      tables: rule.texts("tables"),
      ttlMs: rule.count("ttlMs"),
      oldHome: rule.text("oldHome"),
      newHome: rule.text("newHome"),
      ...rule.optionalCount("endOpenAfterMs"),
    })),
    switchId: fields.text("switchId"),
    ...(fields.has("repointed") ? { repointed: fields.map("repointed", (one) => ({ to: one.text("to") })) } : {}),
    ...(fields.has("behind") ? { behind: fields.map("behind", parseBehind) } : {}),
  };
}

function parseBehind(fields: DocumentFields): NamesBehind {
  return {
    views: fields.mapOfTexts("views"),
    triggers: fields.mapOfTexts("triggers"),
    routines: fields.mapOfTexts("routines"),
    ...(fields.has("leaves") ? { leaves: fields.mapOfTexts("leaves") } : {}),
    ...(fields.has("others") ? { others: fields.mapOfTexts("others") } : {}),
    ...(fields.has("unseen") ? { unseen: parts(fields, "unseen") } : {}),
    ...(fields.has("tooLarge") ? { tooLarge: parts(fields, "tooLarge") } : {}),
  };
}

function parts(fields: DocumentFields, field: string): NamesPart[] {
  return fields.texts(field).flatMap((text) => NAMES_PARTS.find((part) => part === text) ?? []);
}

/** The text that {@link parseRules} reads. */
export function serializeRules(rules: RulesDocument): string {
  return JSON.stringify(rules);
}
