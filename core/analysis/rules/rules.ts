/** The rules, in the order in which they are asked. A new one is a file beside this one and a line here. */
import { cleanupCanFail } from "./cleanupCanFail.ts";
import { deleteDespiteFailure } from "./deleteDespiteFailure.ts";
import { deleteTooEarly } from "./deleteTooEarly.ts";
import type { Rule } from "./draft.ts";
import { missingCleanup } from "./missing.ts";
import { ungatedCleanup } from "./ungatedCleanup.ts";
import { unsafePath } from "./unsafePath.ts";
import { unverifiedFinal } from "./unverifiedFinal.ts";
import { useAfterDelete } from "./useAfterDelete.ts";

export const RULE_LIST: readonly Rule[] = [
  missingCleanup,
  deleteDespiteFailure,
  deleteTooEarly,
  useAfterDelete,
  unverifiedFinal,
  cleanupCanFail,
  unsafePath,
  ungatedCleanup,
];
