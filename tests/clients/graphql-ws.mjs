// graphql-ws over one WebSocket: all three kinds of operations, resuming after the server died, bad tokens.
import assert from "node:assert/strict";
import { createClient } from "graphql-ws";
import WebSocket from "ws";
import {
  Arrivals, TOKENS, WEBSOCKET, act, addComment, ask, checked, community, createPost, finish, key, publishNotice, within,
} from "./linli.mjs";

const COMMENTS = `subscription Comments($subjectId: ID!, $after: String) {
  commentEvents(subjectId: $subjectId, after: $after) {
    cursor
    event {
      __typename
      ... on CommentAdded { comment { id body author { displayName } } subject { ... on Post { commentCount } } }
    }
  }
}`;

function connect(options = {}) {
  return createClient({
    url: WEBSOCKET,
    webSocketImpl: WebSocket,
    connectionParams: () => ({ authorization: `Bearer ${TOKENS.resident}`, "accept-language": "en" }),
    ...options,
  });
}

/** The results of an operation that ends by itself; rejects with what the client calls `error` with. */
function run(client, payload) {
  return within(
    new Promise((resolve, reject) => {
      const results = [];
      client.subscribe(payload, { next: (result) => results.push(result), error: reject, complete: () => resolve(results) });
    }),
    `the end of ${payload.query}`,
  );
}

/** A subscription that resumes where it was: the client sends `payload` again after each reconnection. */
function follow(client, subjectId) {
  const payload = { query: COMMENTS, variables: { subjectId } };
  const arrivals = new Arrivals();
  const stop = client.subscribe(payload, {
    next: ({ data, errors }) => {
      if (errors) return arrivals.fail(new Error(JSON.stringify(errors)));
      payload.variables.after = data.commentEvents.cursor;
      arrivals.push(data.commentEvents.event);
    },
    error: (error) => arrivals.fail(Array.isArray(error) ? new Error(JSON.stringify(error)) : error),
    complete: () => arrivals.fail(new Error("completed")),
  });
  return { arrivals, stop };
}

async function opened(arrivals) {
  assert.equal((await arrivals.next("StreamOpened")).__typename, "StreamOpened");
}

async function added(arrivals, body) {
  const event = await arrivals.next(`the comment ${body}`);
  assert.equal(event.__typename, "CommentAdded");
  assert.equal(event.comment.body, body);
  return event;
}

// One socket, all kinds of operations.
{
  const sockets = new Arrivals();
  const client = connect({ lazy: false, on: { connected: () => sockets.push("connected") } });
  await sockets.next("connection_ack");
  const [viewer] = await run(client, { query: "{ viewer { displayName } }" });
  assert.deepEqual(viewer, { data: { viewer: { displayName: "三楼的小雨" } } });
  checked("a query over a WebSocket, as the token's account");

  const post = await createPost("resident", "graphql-ws: 有人看见我的伞吗?");
  const comments = follow(client, post);
  await opened(comments.arrivals);
  const [result] = await run(client, {
    query: `mutation Add($input: AddCommentInput!) {
      addComment(input: $input) { __typename ... on AddCommentPayload { commentEdge { node { body } } } }
    }`,
    variables: { input: { subjectId: post, body: "在门卫那里", idempotencyKey: key() } },
  });
  assert.equal(result.data.addComment.__typename, "AddCommentPayload");
  assert.equal(result.data.addComment.commentEdge.node.body, "在门卫那里");
  const event = await added(comments.arrivals, "在门卫那里");
  assert.equal(event.comment.author.displayName, "三楼的小雨");
  assert.equal(event.subject.commentCount, 1);
  checked("a mutation and the event of it on the same WebSocket");

  await assert.rejects(run(client, { query: "query Broken {" }), (errors) => {
    assert.ok(Array.isArray(errors), "GraphQL errors, not a closed socket");
    assert.match(errors[0].message, /Syntax Error/);
    return true;
  });
  await assert.rejects(run(client, { query: "{ noSuchField }" }), (errors) => Array.isArray(errors));
  await addComment("neighbour", post, "还在那里");
  await added(comments.arrivals, "还在那里");
  assert.equal(sockets.length, 0, "the client has not had to connect again");
  checked("a document that does not parse or validate ends its own operation only");

  comments.stop();
  const [after] = await run(client, { query: "{ __typename }" });
  assert.equal(after.data.__typename, "Query");
  await client.dispose();
  checked("unsubscribing leaves the WebSocket usable");
}

// A notice, as an async iterator, which the client offers too.
{
  const client = connect();
  const events = client.iterate({
    query: `subscription Notices($communityId: ID!) {
      noticeEvents(communityId: $communityId, minSeverity: URGENT) {
        cursor
        event { __typename ... on NoticePublished { notice { id title severity organisation { name } } } }
      }
    }`,
    variables: { communityId: await community() },
  });
  const next = async (what) => (await within(events.next(), what)).value.data.noticeEvents.event;
  assert.equal((await next("StreamOpened")).__typename, "StreamOpened");
  const id = await publishNotice("officer", "今晚检修");
  assert.deepEqual(await next("the notice"), {
    __typename: "NoticePublished",
    notice: { id, title: "今晚检修", severity: "URGENT", organisation: { name: "丰盛社区居民委员会" } },
  });
  await events.return();
  await client.dispose();
  checked("a notice arrives at an async iterator");
}

// Several times the server dies as in a power cut, and things happen before the client is back.
{
  const post = await createPost("resident", "graphql-ws: 断电也要接着看");
  const closed = new Arrivals();
  let mayReturn = Promise.resolve();
  const client = connect({
    retryAttempts: 10,
    retryWait: () => mayReturn,
    on: { closed: ({ code }) => closed.push(code) },
  });
  const { arrivals, stop } = follow(client, post);
  await opened(arrivals);
  await addComment("neighbour", post, "第一条");
  await added(arrivals, "第一条");

  for (const round of [1, 2]) {
    let letReturn;
    mayReturn = new Promise((resolve) => (letReturn = resolve));
    await ask("kill");
    assert.equal(await closed.next("the loss of the connection"), 1006);
    await ask("start");
    const missed = [1, 2, 3].map((number) => `第${round}次不在时的${number}`);
    for (const body of missed) await addComment("neighbour", post, body);
    letReturn();
    await opened(arrivals);
    for (const body of missed) await added(arrivals, body);
    await addComment("neighbour", post, `第${round}次回来以后`);
    await added(arrivals, `第${round}次回来以后`);
    assert.equal(arrivals.length, 0);
  }
  checked("after the server died, what was missed arrives in order, once, then what happens next");

  {
    // As an operator stops it: the close code is one that clients come back after.
    let letReturn;
    mayReturn = new Promise((resolve) => (letReturn = resolve));
    await ask("stop");
    assert.equal(await closed.next("the close"), 1012);
    await ask("start");
    await addComment("neighbour", post, "重启之间");
    letReturn();
    await opened(arrivals);
    await added(arrivals, "重启之间");
  }
  stop();
  await client.dispose();
  checked("a server that is stopped closes with 1012, and the client comes back");
}

// Tokens.
{
  const closed = new Arrivals();
  const given = ["not-a-token", TOKENS.resident];
  const client = connect({
    retryAttempts: 3,
    retryWait: async () => {},
    connectionParams: () => ({ authorization: `Bearer ${given.shift()}` }),
    on: { closed: ({ code }) => closed.push(code) },
  });
  const [result] = await run(client, { query: "{ viewer { displayName } }" });
  assert.equal(result.data.viewer.displayName, "三楼的小雨");
  assert.equal(await closed.next("the refusal"), 4403);
  assert.equal(given.length, 0);
  await client.dispose();
  checked("a bad token is refused with 4403, and the client returns with a fresh one");

  const refused = connect({
    retryAttempts: 0,
    connectionParams: { authorization: "Bearer not-a-token" },
  });
  await assert.rejects(run(refused, { query: "{ __typename }" }), ({ code }) => code === 4403);
  await refused.dispose();

  const post = await createPost("resident", "graphql-ws: 谁在看?");
  const anonymous = connect({ retryAttempts: 0, connectionParams: undefined });
  const [nobody] = await run(anonymous, { query: "{ viewer { displayName } }" });
  assert.deepEqual(nobody.data, { viewer: null });
  await assert.rejects(run(anonymous, { query: COMMENTS, variables: { subjectId: post } }), (errors) => {
    assert.equal(errors[0].extensions.code, "UNAUTHENTICATED");
    return true;
  });
  await anonymous.dispose();
  checked("without a token nobody is signed in, and streams are refused by an error");
}

// A token that expires and a session that ends, while a stream is followed.
{
  const post = await createPost("resident", "graphql-ws: 换了令牌也要接着看");
  const closed = new Arrivals();
  let letReturn;
  const mayReturn = new Promise((resolve) => (letReturn = resolve));
  const given = [await ask("a token that expires in seconds")];
  const client = connect({
    retryAttempts: 3,
    retryWait: () => mayReturn,
    connectionParams: () => ({ authorization: `Bearer ${given.shift()}` }),
    on: { closed: ({ code, reason }) => closed.push([code, reason]) },
  });
  const { arrivals, stop } = follow(client, post);
  await opened(arrivals);
  assert.deepEqual(await closed.next("the expiry"), [4403, "The access token has expired"]);
  await addComment("neighbour", post, "过期的时候");
  // Beforehand: the server does not wait for as long as a command may take on a busy machine.
  TOKENS.other = await ask("a token of a new session");
  given.push(TOKENS.other);
  letReturn();
  await opened(arrivals);
  await added(arrivals, "过期的时候");
  checked("an expired token closes with 4403, and the client goes on with the next where it was");

  await act("other", "mutation { endSession(input: {}) { ... on EndSessionPayload { session { endedAt } } ... on Problem { message } } }");
  assert.deepEqual(await closed.next("the end of the session"), [4401, "The session has ended"]);
  // Nothing to come back with: the client tells the app instead of trying again.
  await assert.rejects(arrivals.next("the end of the stream"), ({ code }) => code === 4401);
  assert.equal(given.length, 0);
  stop();
  await client.dispose();
  const ended = connect({ retryAttempts: 0, connectionParams: { authorization: `Bearer ${TOKENS.other}` } });
  await assert.rejects(run(ended, { query: "{ __typename }" }), ({ code }) => code === 4403);
  await ended.dispose();
  checked("a session that ends closes its WebSockets for good, and its token is refused");
}

finish();
