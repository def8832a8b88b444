/** A piece of the set-up that this machine cannot give; its message is all that the reader needs. */
export class SetupError extends Error {
  override readonly name = "SetupError";
}
