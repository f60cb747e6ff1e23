// Apollo Client 4: HTTP and WebSocket behind one client, keyset pages merged in the cache, live comments, unions.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache, gql } from "@apollo/client";
import { PersistedQueryLink } from "@apollo/client/link/persisted-queries";
import { GraphQLWsLink } from "@apollo/client/link/subscriptions";
import { getMainDefinition, relayStylePagination } from "@apollo/client/utilities";
import { createClient } from "graphql-ws";
import WebSocket from "ws";
import {
  Arrivals, HTTP, TOKENS, WEBSOCKET, act, addComment, checked, community, createPost, finish, key, within,
} from "./linli.mjs";

// As the Apollo documentation tells to make them.
async function possibleTypes() {
  const { __schema } = await act("resident", "{ __schema { types { kind name possibleTypes { name } } } }");
  const abstract = __schema.types.filter(({ possibleTypes }) => possibleTypes);
  return Object.fromEntries(abstract.map(({ name, possibleTypes }) => [name, possibleTypes.map(({ name }) => name)]));
}

const types = await possibleTypes();
assert.deepEqual(types.Commented.toSorted(), ["Deliberation", "Notice", "Post"]);
assert.ok(types.AddCommentResult.includes("AddCommentPayload"));
assert.ok(types.Problem.includes("NotFound"));

const warnings = [];
console.warn = (...said) => warnings.push(said.join(" "));
console.error = (...said) => warnings.push(said.join(" "));

// Apollo's link compares with the global that browsers and Node 22 have.
globalThis.WebSocket ??= WebSocket;

const authorization = `Bearer ${TOKENS.resident}`;
const socket = createClient({ url: WEBSOCKET, webSocketImpl: WebSocket, connectionParams: { authorization } });
const client = new ApolloClient({
  link: ApolloLink.split(
    ({ query }) => getMainDefinition(query).operation === "subscription",
    new GraphQLWsLink(socket),
    new HttpLink({ uri: HTTP, headers: { authorization } }),
  ),
  cache: new InMemoryCache({
    possibleTypes: types,
    typePolicies: {
      Community: { fields: { posts: relayStylePagination(["kinds", "states", "estate", "author", "order"]) } },
      Post: { fields: { comments: relayStylePagination(["order"]) } },
      // The signed-in account has no id: there is one.
      Viewer: { keyFields: [] },
    },
  }),
});

/** The query's results as they change, from the first complete one on. */
function watch(options) {
  const arrivals = new Arrivals();
  const query = client.watchQuery({ ...options, notifyOnNetworkStatusChange: false });
  query.subscribe({
    next: ({ data, dataState, error }) => {
      if (error) arrivals.fail(error);
      else if (dataState === "complete") arrivals.push(data);
    },
  });
  return { query, arrivals };
}

// Keyset pagination of the feed.
const id = await community();
for (const number of [1, 2, 3, 4, 5]) await createPost("neighbour", `apollo: 第${number}帖`);
{
  const FEED = gql`
    query Feed($id: ID!, $first: Int!, $after: String) {
      node(id: $id) {
        ... on Community {
          id
          posts(first: $first, after: $after) {
            edges { cursor node { ...PostCard } }
            pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
          }
        }
      }
    }
    fragment PostCard on Post { id body likeCount commentCount author { id displayName } }
  `;
  const { query, arrivals } = watch({ query: FEED, variables: { id, first: 4 } });
  let { posts } = (await arrivals.next("the first page")).node;
  assert.equal(posts.edges.length, 4);
  assert.equal(posts.pageInfo.hasPreviousPage, false);
  let pages = 1;
  while (posts.pageInfo.hasNextPage) {
    await query.fetchMore({ variables: { after: posts.pageInfo.endCursor } });
    ({ posts } = (await arrivals.next("one more page")).node);
    pages += 1;
  }
  const whole = await act("resident", "query ($id: ID!) { node(id: $id) { ... on Community { posts(first: 100) { edges { node { id } } } } } }", { id });
  const ids = posts.edges.map(({ node }) => node.id);
  assert.ok(pages >= 3);
  assert.deepEqual(ids, whole.node.posts.edges.map(({ node }) => node.id));
  assert.equal(new Set(ids).size, ids.length);
  checked(`the feed in ${pages} pages, merged by relayStylePagination: all of it, each post once`);
}

// Live comments.
const post = await createPost("neighbour", "apollo: 周末有人打篮球吗?");
await addComment("neighbour", post, "我带球");
const COMMENT = gql`fragment CommentCard on Comment { id body createdAt author { id displayName } }`;
const THREAD = gql`
  query Thread($id: ID!, $first: Int!, $after: String) {
    node(id: $id) {
      ... on Post {
        id
        commentCount
        comments(first: $first, after: $after) {
          edges { cursor node { ...CommentCard } }
          pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
        }
      }
    }
  }
  ${COMMENT}
`;
const COMMENTS = gql`
  subscription Comments($id: ID!) {
    commentEvents(subjectId: $id) {
      cursor
      event {
        ... on CommentAdded { comment { ...CommentCard } subject { id commentCount } }
        ... on StreamOpened { opened }
      }
    }
  }
  ${COMMENT}
`;
const bodies = ({ node }) => node.comments.edges.map(({ node }) => node.body);
{
  const { query, arrivals } = watch({ query: THREAD, variables: { id: post, first: 50 } });
  assert.deepEqual(bodies(await arrivals.next("the thread")), ["我带球"]);

  const seen = new Arrivals();
  query.subscribeToMore({
    document: COMMENTS,
    variables: { id: post },
    onError: (error) => seen.fail(error),
    updateQuery: (previous, { subscriptionData }) => {
      const { cursor, event } = subscriptionData.data.commentEvents;
      assert.ok(cursor);
      seen.push(event.__typename);
      if (event.__typename !== "CommentAdded") return undefined;
      const { comments } = previous.node;
      if (comments.edges.some(({ node }) => node.id === event.comment.id)) return undefined;
      const edge = { __typename: "CommentEdge", cursor: "", node: event.comment };
      return { ...previous, node: { ...previous.node, comments: { ...comments, edges: [...comments.edges, edge] } } };
    },
  });
  assert.equal(await seen.next("StreamOpened"), "StreamOpened");
  await addComment("officer", post, "场地周六上午空着");
  const live = await arrivals.find((data) => data.node.comments.edges.length === 2, "the live comment");
  assert.deepEqual(bodies(live), ["我带球", "场地周六上午空着"]);
  assert.equal(live.node.comments.edges[1].node.author.displayName, "陈晓东");
  assert.equal(live.node.commentCount, 2, "the interface Commented was matched to the Post in the cache");
  checked("subscribeToMore appends a comment that somebody else wrote; its post's count is updated by id");

  // A mutation whose result is a union.
  const ADD = gql`
    mutation Add($input: AddCommentInput!) {
      addComment(input: $input) {
        ... on AddCommentPayload { commentEdge { cursor node { ...CommentCard } } subject { id commentCount } }
        ... on InvalidInput { code message fields { name message } }
        ... on Problem { code message }
      }
    }
    ${COMMENT}
  `;
  const input = { subjectId: post, body: "算我一个", idempotencyKey: key() };
  const add = () => client.mutate({
    mutation: ADD,
    variables: { input },
    update(cache, { data: { addComment } }) {
      if (addComment.__typename !== "AddCommentPayload") return;
      cache.updateQuery({ query: THREAD, variables: { id: post, first: 50 } }, (data) => {
        const { comments } = data.node;
        if (comments.edges.some(({ node }) => node.id === addComment.commentEdge.node.id)) return undefined;
        return { node: { ...data.node, comments: { ...comments, edges: [...comments.edges, addComment.commentEdge] } } };
      });
    },
  });
  const { data } = await add();
  assert.equal(data.addComment.__typename, "AddCommentPayload");
  assert.equal(data.addComment.commentEdge.node.author.displayName, "三楼的小雨");
  await seen.next("the event of the own comment");
  const again = await add();
  assert.equal(again.data.addComment.commentEdge.node.id, data.addComment.commentEdge.node.id);
  const own = client.readQuery({ query: THREAD, variables: { id: post, first: 50 } });
  assert.deepEqual(bodies(own), ["我带球", "场地周六上午空着", "算我一个"]);
  assert.equal(own.node.commentCount, 3);
  // The edge's cursor is good for the next page.
  const { node } = await act(
    "resident",
    "query ($id: ID!, $after: String) { node(id: $id) { ... on Post { comments(first: 5, after: $after) { edges { node { id } } } } } }",
    { id: post, after: data.addComment.commentEdge.cursor },
  );
  assert.deepEqual(node.comments.edges, []);
  checked("a mutation's edge goes into the cache once, though its event came too and the call was repeated");

  const refused = await client.mutate({
    mutation: ADD,
    variables: { input: { ...input, body: " ", idempotencyKey: key() } },
  });
  assert.equal(refused.data.addComment.__typename, "InvalidInput");
  assert.deepEqual(refused.data.addComment.fields.map(({ name }) => name), ["body"]);
  assert.ok(refused.data.addComment.message, "fields of the interface Problem are read through possibleTypes");
  const conflict = await client.mutate({ mutation: ADD, variables: { input: { ...input, body: "换了内容" } } });
  assert.equal(conflict.data.addComment.__typename, "Conflict");
  assert.equal(bodies(client.readQuery({ query: THREAD, variables: { id: post, first: 50 } })).length, 3);
  checked("problems are members of the result's union, told apart by __typename");
}

// The viewer in parts.
{
  await client.query({ query: gql`{ viewer { displayName } }` });
  await client.query({ query: gql`{ viewer { unreadCount communities { id name } } }` });
  const both = client.readQuery({ query: gql`{ viewer { displayName unreadCount communities { id name } } }` });
  assert.equal(both.viewer.displayName, "三楼的小雨");
  assert.equal(both.viewer.communities[0].id, id);
  checked("parts of the viewer that were queried separately are merged");
}

// Documents by their hash.
{
  const sent = [];
  const named = new ApolloClient({
    link: new PersistedQueryLink({ sha256: (text) => createHash("sha256").update(text).digest("hex") }).concat(
      new HttpLink({
        uri: HTTP,
        headers: { authorization },
        fetch: (uri, options) => {
          sent.push(JSON.parse(options.body));
          return fetch(uri, options);
        },
      }),
    ),
    cache: new InMemoryCache(),
  });
  const ask = () => named.query({ query: gql`query Name { viewer { displayName } }`, fetchPolicy: "network-only" });
  assert.equal((await ask()).data.viewer.displayName, "三楼的小雨");
  assert.equal((await ask()).data.viewer.displayName, "三楼的小雨");
  assert.deepEqual(sent.map(({ query }) => typeof query), ["undefined", "string", "undefined"]);
  named.stop();
  checked("PersistedQueryLink sends a document's text once, and then its hash alone");
}

// Errors of a subscription reach its observer.
{
  const failed = await within(
    new Promise((resolve) => {
      client
        .subscribe({ query: COMMENTS, variables: { id: Buffer.from("Post:" + "0".repeat(32)).toString("base64url") } })
        .subscribe({ next: ({ error }) => error && resolve(error), error: resolve });
    }),
    "the refusal of a subscription",
  );
  assert.equal(failed.errors[0].extensions.code, "NOT_FOUND");
  checked("a subscription that is refused says why");
}

assert.deepEqual(warnings, []);
checked("Apollo Client warned of nothing");
client.stop();
await socket.dispose();
finish();
