//! What is read from a command's answer.

use std::time::Duration;

use crate::live::step::Outcome;

#[test]
fn the_checks_that_failed_are_those_of_a_verification_or_of_the_deployment_that_verified() {
    let failed = |stdout: &str| {
        let outcome = Outcome {
            exit: Ok(1),
            took: Duration::ZERO,
            stdout: stdout.to_owned(),
            stderr: String::new(),
        };
        outcome.failed_checks()
    };
    let report = r#"{"host":"h","checks":[{"name":"health answers","failure":"no certificate"}],"latency_ms":null}"#;
    assert_eq!(failed(report), ["health answers"]);
    let answer =
        format!(r#"{{"environment":"e","verified":{report},"failure":"it did not work"}}"#);
    assert_eq!(failed(&answer), ["health answers"]);
    let good = r#"{"host":"h","checks":[{"name":"health answers","failure":null}]}"#;
    for none in [
        good,
        r#"{"verified":null}"#,
        "",
        "staging: nothing to change",
    ] {
        assert_eq!(failed(none), Vec::<String>::new(), "{none}");
    }
}
