// An app's code over the generated types. What must not compile is marked; tsc fails if it does.
import type {
  AddCommentMutation,
  AddCommentMutationVariables,
  CommunitySubscription,
  FeedQuery,
  FeedQueryVariables,
} from "./operations";

export const variables: FeedQueryVariables = { id: "community", first: 20, kinds: ["LOST", "FOUND"] };

// @ts-expect-error: there is no such kind of post
export const wrong: FeedQueryVariables = { id: "community", first: 20, kinds: ["NONSENSE"] };

// @ts-expect-error: the key is not optional
export const keyless: AddCommentMutationVariables = { input: { subjectId: "post", body: "好" } };

export function titles(feed: FeedQuery): string[] {
  if (feed.node?.__typename !== "Community") return [];
  return feed.node.posts.edges.map(({ node }) => `${node.author.displayName} (${node.createdAt.slice(0, 10)}): ${node.body}`);
}

export function answer({ addComment }: AddCommentMutation): string {
  switch (addComment.__typename) {
    case "AddCommentPayload":
      return addComment.commentEdge.node.id;
    case "InvalidInput":
      return addComment.fields.map(({ name }) => name).join();
    case "RateLimited":
      return `${addComment.retryAfter} s`;
    case "NotAllowed":
    case "NotFound":
    case "Conflict":
      return addComment.message;
    default:
      // All members of the union have been named.
      return addComment satisfies never;
  }
}

export function happened({ communityEvents: { cursor, event } }: CommunitySubscription): string {
  switch (event.__typename) {
    case "PostCreated":
      // @ts-expect-error: the post may be gone
      event.post.body;
      return event.post?.body ?? cursor;
    case "CommentAdded":
      return event.comment?.id ?? cursor;
    case "StreamReset":
      return event.reason;
    default:
      return cursor;
  }
}
