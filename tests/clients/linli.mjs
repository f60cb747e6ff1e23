// What the clients share: where the server is, who acts, guarded waiting, and talking with the test that runs them.
import assert from "node:assert/strict";
import { createInterface } from "node:readline";

export const HTTP = process.env.LINLI_HTTP;
export const WEBSOCKET = process.env.LINLI_WEBSOCKET;
// Access tokens by the name of who acts.
export const TOKENS = JSON.parse(process.env.LINLI_TOKENS);

const GUARD_MS = 30_000;
// A server starts in seconds, on a busy machine in a minute.
const ANSWER_MS = 90_000;

/** The promise's value. Rejects, saying what was awaited, if it does not come. */
export async function within(promise, what, guardMs = GUARD_MS) {
  let timer;
  const guard = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`Waited in vain for ${what}`)), guardMs);
  });
  try {
    return await Promise.race([promise, guard]);
  } finally {
    clearTimeout(timer);
  }
}

/** Values that arrive by `push` or `fail` and are awaited one by one. */
export class Arrivals {
  #values = [];
  #waiting = [];

  push(value) {
    this.#put({ value });
  }

  fail(error) {
    this.#put({ error });
  }

  #put(arrival) {
    const waiting = this.#waiting.shift();
    if (waiting) waiting(arrival);
    else this.#values.push(arrival);
  }

  /** How many have arrived that nobody has taken. */
  get length() {
    return this.#values.length;
  }

  async next(what) {
    const taken = this.#values.shift() ?? (await within(new Promise((resolve) => this.#waiting.push(resolve)), what));
    if ("error" in taken) throw taken.error;
    return taken.value;
  }

  /** The next for which `wanted` holds; others are passed over. */
  async find(wanted, what) {
    for (;;) {
      const value = await this.next(what);
      if (wanted(value)) return value;
    }
  }
}

/** Data of an operation over plain HTTP: what other people do while the client under test looks on. */
export async function act(who, query, variables = {}) {
  const response = await fetch(HTTP, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${TOKENS[who]}`, "accept-language": "en" },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = await response.json();
  assert.equal(errors, undefined, JSON.stringify(errors));
  for (const result of Object.values(data)) {
    assert.ok(!result?.message, JSON.stringify(result));
  }
  return data;
}

/** The demo community's id. */
export async function community() {
  const { viewer } = await act("resident", "{ viewer { communities { id } } }");
  return viewer.communities[0].id;
}

let keys = 0;
/** A fresh idempotency key. */
export const key = () => `client-${process.pid}-${++keys}`;

/** A new post; its id. */
export async function createPost(who, body) {
  const { createPost } = await act(
    who,
    `mutation ($input: CreatePostInput!) {
      createPost(input: $input) { ... on CreatePostPayload { postEdge { node { id } } } ... on Problem { message } }
    }`,
    { input: { communityId: await community(), kind: "TALK", body, idempotencyKey: key() } },
  );
  return createPost.postEdge.node.id;
}

/** A new comment; its id. */
export async function addComment(who, subjectId, body) {
  const { addComment } = await act(
    who,
    `mutation ($input: AddCommentInput!) {
      addComment(input: $input) { ... on AddCommentPayload { commentEdge { node { id } } } ... on Problem { message } }
    }`,
    { input: { subjectId, body, idempotencyKey: key() } },
  );
  return addComment.commentEdge.node.id;
}

/** Like something, or no longer. */
export async function setLike(who, subjectId, on) {
  await act(
    who,
    `mutation ($input: SetLikeInput!) {
      setLike(input: $input) { ... on SetLikePayload { subject { id } } ... on Problem { message } }
    }`,
    { input: { subjectId, on } },
  );
}

/** A new, urgent notice of the officer's organisation to everyone in the community; its id. */
export async function publishNotice(who, title) {
  const { viewer } = await act(who, "{ viewer { offices { organisation { id } } } }");
  const { publishNotice } = await act(
    who,
    `mutation ($input: PublishNoticeInput!) {
      publishNotice(input: $input) { ... on PublishNoticePayload { notice { id } } ... on Problem { message } }
    }`,
    {
      input: {
        organisationId: viewer.offices[0].organisation.id,
        category: "OUTAGE",
        severity: "URGENT",
        title,
        body: "22点至次日5点停水,请提前蓄水。",
        audience: [{ placeId: await community() }],
        endsAt: new Date(Date.now() + 86_400_000).toISOString(),
        idempotencyKey: key(),
      },
    },
  );
  return publishNotice.notice.id;
}

const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

/** Ask the test that runs this script for something: it answers with one line. */
export async function ask(request) {
  console.log(`? ${request}`);
  const { value, done } = await within(answers.next(), `the answer to "${request}"`, ANSWER_MS);
  assert.ok(!done, "Nobody answers");
  return value;
}

let checks = 0;
/** Say that something has been checked. */
export function checked(what) {
  checks += 1;
  console.log(`ok ${checks} ${what}`);
}

/** End well; without this a script that runs dry counts as failed. */
export function finish() {
  console.log(`${checks} checks passed`);
  process.exit(0);
}

process.on("exit", (code) => {
  // Node ends with 13 when a top-level await is never settled, and with 0 when nothing is left to do.
  if (code === 0 && checks === 0) process.exitCode = 1;
});
