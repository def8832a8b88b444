/** Whom hostile clients log in as: anybody may try, and this one gets in. It may do nothing outside of its schema. */
export const ACCOUNT = { user: "hostile", password: "hostile-pass-1" } as const;

/** Whom the sessions log in as that must notice nothing. */
export const INNOCENT = { user: "innocent", password: "innocent-pass-1" } as const;
