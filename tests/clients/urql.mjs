// urql with its normalised, schema-aware cache: pages, an optimistic like, and events that invalidate.
import assert from "node:assert/strict";
import { Client, fetchExchange, gql, subscriptionExchange } from "@urql/core";
import { cacheExchange } from "@urql/exchange-graphcache";
import { relayPagination } from "@urql/exchange-graphcache/extras";
import { minifyIntrospectionQuery } from "@urql/introspection";
import { getIntrospectionQuery } from "graphql";
import { createClient } from "graphql-ws";
import { subscribe } from "wonka";
import WebSocket from "ws";
import {
  Arrivals, HTTP, TOKENS, WEBSOCKET, act, addComment, checked, community, createPost, finish, publishNotice, setLike,
} from "./linli.mjs";

const introspection = await act("resident", getIntrospectionQuery());
const schema = minifyIntrospectionQuery(introspection);
assert.equal(schema.__schema.subscriptionType.name, "Subscription");

const warnings = [];
console.warn = (...said) => warnings.push(said.join(" "));
console.error = (...said) => warnings.push(said.join(" "));

// What has no id is kept inside of what holds it. There is one signed-in account.
const keyless = introspection.__schema.types.filter(
  ({ kind, name, fields }) => kind === "OBJECT" && !name.startsWith("__") && !fields.some(({ name }) => name === "id"),
);
const keys = { ...Object.fromEntries(keyless.map(({ name }) => [name, () => null])), Viewer: () => "me" };
assert.ok("CommentEventEnvelope" in keys);
assert.ok(!("Post" in keys));

const authorization = `Bearer ${TOKENS.resident}`;
const socket = createClient({ url: WEBSOCKET, webSocketImpl: WebSocket, connectionParams: { authorization } });

// While it is closed, requests wait: so that it can be seen what the cache says meanwhile.
let gate = Promise.resolve();
const methods = new Set();
const client = new Client({
  url: HTTP,
  // urql sends queries as GET, which the server takes from other sites' pages with this header only.
  fetchOptions: { headers: { authorization, "apollo-require-preflight": "true" } },
  fetch: async (url, options) => {
    await gate;
    methods.add(`${/[?&]query=([a-z]*)/.exec(url)?.[1] ?? /"query":"([a-z]*)/.exec(options.body)[1]} ${options.method}`);
    return fetch(url, options);
  },
  exchanges: [
    cacheExchange({
      schema,
      keys,
      resolvers: {
        Community: { posts: relayPagination() },
        Post: { comments: relayPagination() },
      },
      optimistic: {
        setLike: ({ input }, cache) => {
          const __typename = "Post";
          const count = cache.resolve({ __typename, id: input.subjectId }, "likeCount");
          return {
            __typename: "SetLikePayload",
            subject: {
              __typename,
              id: input.subjectId,
              viewerHasLiked: input.on,
              likeCount: count + (input.on ? 1 : -1),
            },
          };
        },
      },
      updates: {
        Subscription: {
          commentEvents: ({ commentEvents: { event } }, { subjectId }, cache) => {
            // Without an edge at hand: the lists of comments are read anew.
            if (event.__typename !== "CommentAdded") return;
            const post = { __typename: "Post", id: subjectId };
            for (const { fieldName, arguments: given } of cache.inspectFields(post)) {
              if (fieldName === "comments") cache.invalidate(post, fieldName, given);
            }
          },
        },
      },
    }),
    subscriptionExchange({
      forwardSubscription: (request) => ({
        subscribe: (sink) => ({ unsubscribe: socket.subscribe({ ...request, query: request.query ?? "" }, sink) }),
      }),
    }),
    fetchExchange,
  ],
});

/** What an operation gives as the cache and the server change it. */
function watch(source) {
  const arrivals = new Arrivals();
  const { unsubscribe } = subscribe(({ data, error, stale }) => {
    if (error) arrivals.fail(error);
    else arrivals.push({ data, stale });
  })(source);
  return { arrivals, unsubscribe };
}

const id = await community();
for (const number of [1, 2, 3, 4, 5]) await createPost("neighbour", `urql: 第${number}帖`);

// Pages.
{
  const FEED = gql`
    query Feed($id: ID!, $first: Int!, $after: String) {
      node(id: $id) {
        __typename
        ... on Community {
          id
          posts(first: $first, after: $after) {
            edges { node { id body author { id displayName } } }
            pageInfo { hasNextPage endCursor }
          }
        }
      }
    }
  `;
  let posts;
  let pages = 0;
  do {
    const { data, error } = await client.query(FEED, { id, first: 4, after: posts?.pageInfo.endCursor });
    assert.equal(error, undefined);
    ({ posts } = data.node);
    pages += 1;
  } while (posts.pageInfo.hasNextPage);
  const whole = await act(
    "resident",
    "query ($id: ID!) { node(id: $id) { ... on Community { posts(first: 100) { edges { node { id } } } } } }",
    { id },
  );
  assert.ok(pages >= 3);
  assert.deepEqual(posts.edges.map(({ node }) => node.id), whole.node.posts.edges.map(({ node }) => node.id));
  checked(`the feed in ${pages} pages, merged by relayPagination: all of it, each post once`);
}

// An optimistic like.
const post = await createPost("neighbour", "urql: 阳台的花开了");
await setLike("officer", post, true);
const CARD = gql`
  query Card($id: ID!) {
    node(id: $id) {
      __typename
      id
      ... on Liked { likeCount viewerHasLiked }
      ... on Commented { commentCount comments(first: 20) { edges { node { id body } } pageInfo { hasNextPage endCursor } } }
    }
  }
`;
const LIKE = gql`
  mutation Like($input: SetLikeInput!) {
    setLike(input: $input) {
      __typename
      ... on SetLikePayload { subject { __typename id likeCount viewerHasLiked } }
      ... on Problem { code message }
    }
  }
`;
const card = watch(client.query(CARD, { id: post }));
const like = ({ data }) => [data.node.viewerHasLiked, data.node.likeCount];
assert.deepEqual(like(await card.arrivals.next("the post")), [false, 1]);
{
  let open;
  gate = new Promise((resolve) => (open = resolve));
  const liking = client.mutation(LIKE, { input: { subjectId: post, on: true } }).toPromise();
  const early = await card.arrivals.find(({ data }) => data.node.viewerHasLiked, "the optimistic like");
  assert.deepEqual(like(early), [true, 2]);
  const { node } = await act("resident", "query ($id: ID!) { node(id: $id) { ... on Liked { viewerHasLiked likeCount } } }", { id: post });
  assert.deepEqual(node, { viewerHasLiked: false, likeCount: 1 }, "the server does not know yet");
  // Meanwhile somebody else likes it, so that the guess is wrong and the answer counts.
  await setLike("neighbour", post, true);
  open();
  const { data, error } = await liking;
  assert.equal(error, undefined);
  assert.equal(data.setLike.__typename, "SetLikePayload");
  const settled = await card.arrivals.find(({ data }) => data.node.likeCount === 3, "the server's count");
  assert.deepEqual(like(settled), [true, 3]);
  checked("a like shows at once, and the server's count replaces the guess");

  gate = new Promise((resolve) => (open = resolve));
  const gone = Buffer.from(`Post:${"0".repeat(32)}`).toString("base64url");
  const failing = client.mutation(LIKE, { input: { subjectId: gone, on: true } }).toPromise();
  open();
  assert.equal((await failing).data.setLike.__typename, "NotFound");
  checked("a problem is read through the schema-aware cache");
}

// Events.
{
  const COMMENTS = gql`
    subscription Comments($subjectId: ID!) {
      commentEvents(subjectId: $subjectId) {
        cursor
        event {
          __typename
          ... on CommentAdded { comment { __typename id body } subject { __typename id commentCount } }
        }
      }
    }
  `;
  const comments = watch(client.subscription(COMMENTS, { subjectId: post }));
  const opened = await comments.arrivals.next("StreamOpened");
  assert.equal(opened.data.commentEvents.event.__typename, "StreamOpened");
  await addComment("neighbour", post, "真好看");
  const added = await comments.arrivals.next("the comment");
  assert.equal(added.data.commentEvents.event.comment.body, "真好看");
  const shown = await card.arrivals.find(
    ({ data, stale }) => !stale && data.node.comments.edges.length === 1,
    "the list of comments, read anew",
  );
  assert.equal(shown.data.node.comments.edges[0].node.body, "真好看");
  assert.equal(shown.data.node.commentCount, 1);
  checked("an event invalidates the list of comments, which is read anew");

  const COUNTERS = gql`
    subscription Counters($postId: ID!) {
      counterEvents(postId: $postId) {
        cursor
        event { __typename ... on CountersChanged { subject { __typename id ... on Liked { likeCount } } } }
      }
    }
  `;
  const counters = watch(client.subscription(COUNTERS, { postId: post }));
  await counters.arrivals.next("StreamOpened");
  await setLike("officer", post, false);
  const counted = await card.arrivals.find(({ data }) => data.node.likeCount === 2, "the lower count");
  assert.deepEqual(like(counted), [true, 2]);
  for (const { unsubscribe } of [comments, counters, card]) unsubscribe();
  checked("an event's counter goes into the cached post by its id");
}

// The notice of an office.
{
  const MINE = gql`
    query Mine($id: ID!) {
      viewer { displayName unreadCount unacknowledgedNotices(communityId: $id, first: 50) { edges { node { id title } } } }
    }
  `;
  const ACKNOWLEDGE = gql`
    mutation Acknowledge($input: AcknowledgeNoticeInput!) {
      acknowledgeNotice(input: $input) {
        __typename
        ... on AcknowledgeNoticePayload { notice { id viewerReceipts { acknowledgedAt } } }
        ... on Problem { code message }
      }
    }
  `;
  const notice = await publishNotice("officer", "今晚停水");
  const before = await client.query(MINE, { id }, { requestPolicy: "network-only" });
  assert.equal(before.error, undefined);
  assert.ok(before.data.viewer.unacknowledgedNotices.edges.some(({ node }) => node.id === notice));
  const done = await client.mutation(ACKNOWLEDGE, { input: { noticeId: notice } });
  assert.equal(done.error, undefined);
  assert.equal(done.data.acknowledgeNotice.__typename, "AcknowledgeNoticePayload");
  assert.ok(done.data.acknowledgeNotice.notice.viewerReceipts.every(({ acknowledgedAt }) => acknowledgedAt));
  const after = await client.query(MINE, { id }, { requestPolicy: "network-only" });
  assert.ok(after.data.viewer.unacknowledgedNotices.edges.every(({ node }) => node.id !== notice));
  checked("a notice is acknowledged, and no longer among those that are not");
}

assert.deepEqual([...methods].toSorted(), ["mutation POST", "query GET"]);
assert.deepEqual(warnings, []);
checked("graphcache warned of nothing");
await socket.dispose();
finish();
