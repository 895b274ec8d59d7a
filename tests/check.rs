use crate::support::{Project, Run};

#[test]
fn the_repositorys_manifests_are_good() {
    let printed = Run::new(["check"]).succeeds();
    assert_eq!(
        printed.stdout,
        "`local`, `production`, `staging` are good\n"
    );
    assert_eq!(printed.stderr, "");
}

#[test]
fn an_unknown_key_is_drawn_with_its_line_and_the_nearest_known_key() {
    let project = Project::with_staging("compatibility_date =", "compatibility_dat =");
    let printed = Run::new(["check"]).inside(&project).fails();
    insta::assert_snapshot!(printed.stderr, @"");
    assert_eq!(printed.stdout, "");
}

#[test]
fn a_wrong_type_is_drawn_with_its_line() {
    let project = Project::with_staging("history = 64", "history = \"many\"");
    let printed = Run::new(["check"]).inside(&project).fails();
    insta::assert_snapshot!(printed.stderr, @"");
}

#[test]
fn a_bad_host_is_drawn_with_its_line_and_what_to_write() {
    let project = Project::with_staging("broadcast-staging.glow.trade", "https://glow.trade/");
    let printed = Run::new(["check"]).inside(&project).fails();
    insta::assert_snapshot!(printed.stderr, @"");
}

#[test]
fn a_bad_account_id_is_drawn_with_its_line_and_where_to_find_it() {
    let project = Project::with_staging("zone = ", "account_id = \"me@glow.trade\"\nzone = ");
    let printed = Run::new(["check"]).inside(&project).fails();
    insta::assert_snapshot!(printed.stderr, @"");
}

#[test]
fn problems_between_fields_are_all_reported_at_once() {
    let project = Project::with_staging(
        "[room]",
        "[[routes]]\nhost = \"broadcast-staging.glow.trade\"\n\n[[regions]]\nname = \"us\"\nhost = \"us.example.com\"\nlocation_hint = \"enam\"\n\n[secrets.API_KEY]\nsource = \"env:API_KEY\"\n\n[room]",
    );
    let printed = Run::new(["check"]).inside(&project).fails();
    insta::assert_snapshot!(printed.stderr, @"");
}

#[test]
fn json_has_every_problem_with_line_and_column() {
    let project = Project::with_staging("zone = \"glow.trade\"", "zone = \"glow.example\"");
    let printed = Run::new(["check", "--json"]).inside(&project).fails();
    insta::assert_snapshot!(printed.stdout, @"");
}

#[test]
fn the_value_of_a_secret_that_was_pasted_as_its_source_is_not_repeated_outside_the_excerpt() {
    let project = Project::with_staging(
        "source = \"env:WEBHOOK_SECRET\"",
        "source = \"hunter2-marker\"",
    );
    let printed = Run::new(["check"]).inside(&project).fails();
    assert!(
        !printed.stderr.contains("hunter2-marker"),
        "{}",
        printed.stderr
    );
}
