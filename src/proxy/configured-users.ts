/** An account under `users:`, for clients that know no newer method than `mysql_native_password`. */
export interface ConfiguredUser {
  readonly name: string;
  readonly password: string;
}

/**
 * Accounts whose passwords the proxy has been told. A native client never shows its password, and today's servers have
 * no native method: the proxy checks what the client answers, and logs in at the server with the password it was told.
 */
export class ConfiguredUsers {
  #passwords: ReadonlyMap<string, Buffer> = new Map();

  constructor(users: readonly ConfiguredUser[]) {
    this.replace(users);
  }

  /** For logins from now on. */
  replace(users: readonly ConfiguredUser[]): void {
    this.#passwords = new Map(users.map(({ name, password }) => [name, Buffer.from(password, "utf8")]));
  }

  passwordOf(user: Buffer): Buffer | undefined {
    return this.#passwords.get(user.toString("utf8"));
  }
}
