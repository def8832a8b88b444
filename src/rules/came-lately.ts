/** A power of two. */
const PLACES = 16_384;

/**
 * Hashes that came lately, so that what comes only once, such as a text with a key in it, pushes nothing out of a cache. Two
 * things may be taken for one, and one is then kept too early; or its hash may have been overwritten, and it is kept later.
 */
export class CameLately {
  readonly #hashes = new Int32Array(PLACES);

  /** Whether this hash of 32 bits came before, as far as is known; from now on it did. */
  before(hash: number): boolean {
    const place = (hash ^ (hash >>> 15)) & (PLACES - 1);
    const came = this.#hashes[place] === (hash | 0);
    this.#hashes[place] = hash;
    return came;
  }
}
