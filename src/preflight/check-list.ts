import type { Check } from "./check.ts";
import { accountsCheck } from "./checks/accounts.ts";
import { autoIncrementCheck } from "./checks/auto-increment.ts";
import { binaryLogCheck } from "./checks/binary-log.ts";
import { binlogRetentionCheck } from "./checks/binlog-retention.ts";
import { charsetsCheck } from "./checks/charsets.ts";
import { clockSkewCheck } from "./checks/clock-skew.ts";
import { columnTypesCheck } from "./checks/column-types.ts";
import { definitionCheck } from "./checks/definition.ts";
import { enumLabelsCheck } from "./checks/enum-labels.ts";
import { eventsCheck } from "./checks/events.ts";
import { foreignKeysCheck } from "./checks/foreign-keys.ts";
import { generatedColumnsCheck } from "./checks/generated-columns.ts";
import { gtidCheck } from "./checks/gtid.ts";
import { localInfileCheck } from "./checks/local-infile.ts";
import { lowerCaseTableNamesCheck } from "./checks/lower-case-table-names.ts";
import { mappingCheck } from "./checks/mapping.ts";
import { maxAllowedPacketCheck } from "./checks/max-allowed-packet.ts";
import { performanceSchemaCheck } from "./checks/performance-schema.ts";
import { preparedXaCheck } from "./checks/prepared-xa.ts";
import { primaryKeyCheck } from "./checks/primary-key.ts";
import { privilegesCheck } from "./checks/privileges.ts";
import { routinesCheck } from "./checks/routines.ts";
import { sameDefinitionCheck } from "./checks/same-definition.ts";
import { schemaChangeToolsCheck } from "./checks/schema-change-tools.ts";
import { serverIdentityCheck } from "./checks/server-identity.ts";
import { serverVersionCheck } from "./checks/server-version.ts";
import { sessionDefaultsCheck } from "./checks/session-defaults.ts";
import { sidecarCheck } from "./checks/sidecar.ts";
import { spatialSystemsCheck } from "./checks/spatial-systems.ts";
import { storageEngineCheck } from "./checks/storage-engine.ts";
import { targetEmptyCheck } from "./checks/target-empty.ts";
import { timeZoneCheck } from "./checks/time-zone.ts";
import { triggerPrivilegeCheck } from "./checks/trigger-privilege.ts";
import { triggersCheck } from "./checks/triggers.ts";
import { viewsCheck } from "./checks/views.ts";
import { visibilityCheck } from "./checks/visibility.ts";
import { writableCheck } from "./checks/writable.ts";

/** Checks that need no table, in the order in which an operator would want to read them. */
export const CHECKS_OF_SERVERS: readonly Check[] = [
  serverVersionCheck,
  serverIdentityCheck,
  privilegesCheck,
  triggerPrivilegeCheck,
  gtidCheck,
  binaryLogCheck,
  binlogRetentionCheck,
  writableCheck,
  performanceSchemaCheck,
  sessionDefaultsCheck,
  timeZoneCheck,
  clockSkewCheck,
  maxAllowedPacketCheck,
  localInfileCheck,
  lowerCaseTableNamesCheck,
  autoIncrementCheck,
  preparedXaCheck,
  sidecarCheck,
];

/** Checks of tables that exist on the source. */
export const CHECKS_OF_TABLES: readonly Check[] = [
  storageEngineCheck,
  primaryKeyCheck,
  columnTypesCheck,
  spatialSystemsCheck,
  charsetsCheck,
  enumLabelsCheck,
  generatedColumnsCheck,
  definitionCheck,
  mappingCheck,
  sameDefinitionCheck,
  targetEmptyCheck,
  schemaChangeToolsCheck,
  foreignKeysCheck,
  triggersCheck,
  viewsCheck,
  routinesCheck,
  eventsCheck,
  visibilityCheck,
  accountsCheck,
];
