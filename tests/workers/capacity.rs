use crate::support::Run;

#[test]
fn both_bundles_together_are_under_250_kb_gzipped() {
    let built = Run::new(["build", "--json"]).succeeds().json();
    let sizes: Vec<u64> = built["workers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|worker| worker["gzip_bytes"].as_u64().unwrap())
        .collect();
    assert!(sizes.iter().sum::<u64>() < 250_000, "{sizes:?}");
}
