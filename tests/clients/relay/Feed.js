// The operations of an app's feed, as it would write them; relay-compiler makes artifacts of them.
import { graphql } from "relay-runtime";

graphql`
  query FeedQuery($id: ID!) {
    viewer {
      displayName
    }
    node(id: $id) {
      ... on Community {
        name
      }
      ...Feed_community @alias
    }
  }
`;

graphql`
  fragment Feed_community on Community
  @refetchable(queryName: "FeedPageQuery")
  @argumentDefinitions(count: { type: "Int", defaultValue: 3 }, cursor: { type: "String" }, kinds: { type: "[PostKind!]" }) {
    posts(first: $count, after: $cursor, kinds: $kinds) @connection(key: "Feed_posts", filters: ["kinds"]) {
      __id
      edges {
        node {
          id
          ...PostCard_post
        }
      }
    }
  }
`;

// Pages in both directions.
graphql`
  fragment Notices_community on Community
  @refetchable(queryName: "NoticesPageQuery")
  @argumentDefinitions(
    first: { type: "Int" }
    after: { type: "String" }
    last: { type: "Int" }
    before: { type: "String" }
  ) {
    notices(first: $first, after: $after, last: $last, before: $before) @connection(key: "Notices_notices") {
      edges {
        node {
          title
          severity
          supersedes {
            id
          }
        }
      }
    }
  }
`;

graphql`
  fragment PostCard_post on Post @refetchable(queryName: "PostCardRefetchQuery") {
    body
    kind
    createdAt
    author {
      displayName
      building
    }
    ...LikeButton_liked
    ...CommentCount_commented
  }
`;

graphql`
  fragment LikeButton_liked on Liked @refetchable(queryName: "LikeButtonRefetchQuery") {
    id
    likeCount
    viewerHasLiked
  }
`;

graphql`
  fragment CommentCount_commented on Commented {
    commentCount
  }
`;

// Any object of the schema.
graphql`
  fragment Anything_node on Node @refetchable(queryName: "AnythingRefetchQuery") {
    __typename
    ... on Post {
      body
    }
    ... on Notice {
      title
    }
  }
`;
