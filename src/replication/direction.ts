/** Which way a stream carries rows: from the source as first created, or back to it. */
export type Direction = "forward" | "reverse";
