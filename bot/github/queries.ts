/**
 * What REST cannot do: which comments are ours (whatever name a token has), which threads are resolved, and to resolve
 * one. Validated against GitHub's schema in the tests.
 *
 * @module
 */

/** Threads, reviews and comments of a pull request, a page of each. */
export const STATE = `query State(
  $owner: String!, $repo: String!, $number: Int!,
  $threads: String, $reviews: String, $comments: String
) {
  repository(owner: $owner, name: $repo) {
    pullRequest(number: $number) {
      reviewThreads(first: 100, after: $threads) {
        pageInfo { hasNextPage endCursor }
        nodes {
          id
          isResolved
          viewerCanResolve
          comments(first: 1) { nodes { fullDatabaseId body viewerDidAuthor } }
        }
      }
      reviews(first: 100, after: $reviews) {
        pageInfo { hasNextPage endCursor }
        nodes { fullDatabaseId body viewerDidAuthor }
      }
      comments(first: 100, after: $comments) {
        pageInfo { hasNextPage endCursor }
        nodes { fullDatabaseId body viewerDidAuthor }
      }
    }
  }
}`;

/** Resolves a thread. */
export const RESOLVE = `mutation Resolve($thread: ID!) {
  resolveReviewThread(input: { threadId: $thread }) { thread { id isResolved } }
}`;
