//! What must be seen of what is live, whatever is planned.

use insta::assert_snapshot;

use super::world::{MANIFEST, World};
use crate::build::Worker;

#[test]
fn what_is_deployed_as_it_must_be_gives_no_finding() {
    assert_eq!(World::empty(MANIFEST).findings(), "");
    assert_eq!(World::deployed(MANIFEST).findings(), "");
}

#[test]
fn a_newest_version_without_traffic_is_told() {
    let world = World::deployed(MANIFEST).code(Worker::Gateway);
    assert_snapshot!(world.uploaded(Worker::Gateway).findings(), @"

      note   the newest version of `w-e`, `v2`, is not the deployed one, `v1`
    ");
}
