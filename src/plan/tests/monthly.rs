//! What a change does to the month's bill.

use insta::assert_snapshot;

use super::world::{MANIFEST, World};

const TRAFFIC: &str = "[traffic]\nusers = 100000\ntokens = 1000\nupdates_per_minute = 2\n";

fn deployed() -> World {
    World::deployed(&format!("{MANIFEST}{TRAFFIC}"))
}

#[test]
fn a_change_that_moves_the_bill_tells_by_how_much() {
    let region = "[[regions]]\nname = \"us\"\nhost = \"us.glow.trade\"\nlocation_hint = \"enam\"\n";
    let regions = format!(
        "{region}{}",
        region.replace("us", "eu").replace("enam", "weur")
    );
    let logs_off = "name = \"w\"\nobservability = false\n";
    assert_snapshot!(deployed().manifest("name = \"w\"\n", logs_off).findings_of_change(), @r"

      note   a month costs $86.86 instead of $192.94 with this (-$106.08), by `[traffic]`; `edge-broadcast cost e` has every line
    ");
    assert_snapshot!(deployed().manifest("[traffic]", &format!("{regions}[traffic]")).findings_of_change(), @r"

      note   a month costs $264.65 instead of $192.94 with this (+$71.71), by `[traffic]`; `edge-broadcast cost e` has every line
    ");
}

#[test]
fn what_moves_nothing_or_cannot_be_known_says_nothing() {
    assert_eq!(deployed().findings_of_change(), "");
    assert_eq!(
        World::empty(&format!("{MANIFEST}{TRAFFIC}")).findings_of_change(),
        ""
    );
    let silent = World::deployed(MANIFEST)
        .manifest("name = \"w\"\n", "name = \"w\"\nobservability = false\n");
    assert_eq!(silent.findings_of_change(), "");
    // Settings of another time
    let strange = deployed().gateway(|live| {
        live.observability = false;
        live.active.bindings.clear();
    });
    assert_eq!(strange.findings_of_change(), "");
}
