//! Several futures at once.

use std::future::{Future, poll_fn};
use std::task::Poll;

/// Waits for all of them; their outputs are in their order. Each time one may go on, all that are left are asked: a batch
/// has a hundred rooms at most, and the usual crate for this is 2 % of the bundle.
pub(crate) async fn all<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut futures: Vec<_> = futures.map(|future| (Box::pin(future), None)).collect();
    poll_fn(|context| {
        let mut left = 0;
        for (future, output) in &mut futures {
            if output.is_some() {
                continue;
            }
            match future.as_mut().poll(context) {
                Poll::Ready(done) => *output = Some(done),
                Poll::Pending => left += 1,
            }
        }
        if left == 0 {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
    futures
        .into_iter()
        .filter_map(|(_, output)| output)
        .collect()
}
