/** What Switchyard takes from the environment besides `${NAME}` in the configuration. */
export interface Environment {
  readonly all: Readonly<Record<string, string | undefined>>;
  /** SWITCHYARD_SERVER: the admin API that commands talk to. */
  readonly server: string | undefined;
  /** SWITCHYARD_TOKEN: the token for it. */
  readonly token: string | undefined;
  /** SWITCHYARD_CA: a PEM file with the authorities to trust where that API has TLS. */
  readonly ca: string | undefined;
  /** SWITCHYARD_CONFIG: the configuration where `--config` is not given. */
  readonly config: string | undefined;
}

/** The only place besides the entry point that reads the process's environment, where no other is given. */
export function readEnvironment(all: Environment["all"] = process.env): Environment {
  return {
    all,
    server: all["SWITCHYARD_SERVER"] || undefined,
    token: all["SWITCHYARD_TOKEN"] || undefined,
    ca: all["SWITCHYARD_CA"] || undefined,
    config: all["SWITCHYARD_CONFIG"] || undefined,
  };
}
