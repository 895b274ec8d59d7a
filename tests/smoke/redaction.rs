//! What a report shows of the API's answers: nothing of anybody's, and the whole shape.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::live::redact::{self, ALL_ITEMS, ITEMS, Redactor};
use crate::live::report::{Exchange, Refusal, Report, Sent};

/// A value that belongs to somebody, in every form that the API has.
fn planted() -> impl Strategy<Value = String> {
    prop_oneof![
        "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[1-9a-f]{12}",
        "[1-9a-f]{32}",
        "[1-9a-f]{64}",
        "[1-9]{17,20}",
        "[a-z]{5,9}[.][a-z]{5,9}@[a-z]{5,9}[.]dev",
        "[a-z]{5,9}-[a-z]{5,9}[.](dev|trade|co[.]uk)",
        "[*][.][a-z]{9,12}[.]dev/[*]",
        "(https|wss)://[a-z]{9,12}[.]dev/[a-z]{5}[?]token=[a-z0-9]{9}",
        "1[0-9]{2}[.]1[0-9]{2}[.]1[0-9]{2}[.]1[0-9]{2}",
        "fe80::[1-9a-f]{4}:[1-9a-f]{4}",
        "2025-0[1-9]-1[0-9]T1[0-9]:2[0-9]:3[0-9][.][1-9]{6}Z",
        "whsec_[A-Za-z0-9+/]{43}=",
        "v1[.]0-[A-Za-z0-9_-]{30,40}",
        "[bcdfgk]{3}[aeiou][bcdfgk]{3}[aeiou][bcdfgk]{3}",
        "[bcdfgk]{3}[aeiou][bcdfgk]{3}-(room|gateway|worker|api)-[bcdfgk]{2}",
        "[BCDFGK][aeiou][bcdfgk]{4} (Trading|Labs) [BCDFGK][bcdfgk]{2}",
        "[äöüß]{8}",
    ]
}

/// A key of the API's own. Below some of them words are shown.
fn field() -> impl Strategy<Value = String> {
    let names = [
        "account",
        "code",
        "error_chain",
        "errors",
        "hostname",
        "id",
        "message",
        "messages",
        "name",
        "pattern",
        "result",
        "status",
        "tags",
        "text",
        "type",
        "workers/message",
        "workers/triggered_by",
    ];
    prop::sample::select(names.map(ToOwned::to_owned).to_vec())
}

fn leaf() -> impl Strategy<Value = (Value, Vec<String>)> {
    let alone = |value: Value| (value, Vec::new());
    let sentences = ["the Worker `{}` was not found", "{}: invalid", "{}"];
    prop_oneof![
        Just(alone(Value::Null)),
        any::<bool>().prop_map(move |flag| alone(flag.into())),
        (-9i64..9).prop_map(move |number| alone(number.into())),
        Just(alone(json!("secret_text"))),
        Just(alone(json!(""))),
        (11_111_111u64..u64::MAX).prop_map(|number| (number.into(), vec![number.to_string()])),
        planted().prop_map(|text| (text.clone().into(), vec![text])),
        (planted(), prop::sample::select(sentences.to_vec()))
            .prop_map(|(text, sentence)| (sentence.replace("{}", &text).into(), vec![text])),
    ]
}

/// A body, and everything of somebody's that is in it.
fn body() -> impl Strategy<Value = (Value, Vec<String>)> {
    leaf().prop_recursive(4, 40, 6, |inner| {
        let own = field().prop_map(|name| (name, None));
        // A key of letters alone is taken for a field's name
        let is_theirs = |name: &String| name.contains(|c: char| !c.is_ascii_alphabetic());
        let theirs = planted()
            .prop_filter("looks like a field", is_theirs)
            .prop_map(|name| (name.clone(), Some(name)));
        let key = prop_oneof![6 => own, 1 => theirs];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(|items| {
                let (items, planted): (Vec<_>, Vec<_>) = items.into_iter().unzip();
                (Value::Array(items), planted.concat())
            }),
            prop::collection::vec((key, inner), 0..5).prop_map(|fields| {
                let (mut object, mut all) = (Map::new(), Vec::new());
                for ((name, theirs), (value, planted)) in fields {
                    object.insert(name, value);
                    all.extend(theirs);
                    all.extend(planted);
                }
                (Value::Object(object), all)
            }),
        ]
    })
}

/// Panics where `shown` has another shape than `body`.
fn assert_same_shape(body: &Value, shown: &Value) {
    match (body, shown) {
        (Value::Null, Value::Null) | (Value::String(_), Value::String(_)) => {}
        (Value::Bool(was), Value::Bool(is)) => assert_eq!(was, is),
        (Value::Number(was), Value::Number(is)) => {
            assert_eq!(was.is_f64(), is.is_f64());
            let sign = |number: &serde_json::Number| number.as_f64().unwrap().total_cmp(&0.0);
            assert_eq!(sign(was), sign(is));
        }
        (Value::Array(was), Value::Array(is)) => {
            assert!(is.len() <= was.len() && is.len() <= ALL_ITEMS);
            assert!(is.len() >= was.len().min(ITEMS));
            for (was, is) in was.iter().zip(is).take(ITEMS) {
                assert_same_shape(was, is);
            }
        }
        (Value::Object(was), Value::Object(is)) => {
            assert_eq!(was.len(), is.len(), "{body} {shown}");
            let is_own = |name: &str| {
                name.bytes()
                    .all(|b| b.is_ascii_alphabetic() || b"_/".contains(&b))
            };
            for (name, value) in was.iter().filter(|(name, _)| is_own(name)) {
                if let Some(shown) = is.get(name) {
                    assert_same_shape(value, shown);
                }
            }
        }
        _ => panic!("`{body}` became `{shown}`"),
    }
}

proptest! {
    #[test]
    fn no_value_of_anybodys_survives_in_any_place((body, planted) in body()) {
        let shown = Redactor::default().body(&body).to_string();
        for text in planted {
            prop_assert!(!shown.contains(&text), "{text} in {shown}");
        }
    }

    #[test]
    fn the_shape_stays((body, _) in body()) {
        assert_same_shape(&body, &Redactor::default().body(&body));
    }

    #[test]
    fn what_is_redacted_stays_as_it_is((body, _) in body()) {
        let mut redactor = Redactor::default();
        let shown = redactor.body(&body);
        prop_assert_eq!(&redactor.body(&shown), &shown);
        prop_assert_eq!(&Redactor::default().body(&shown), &shown);
    }

    #[test]
    fn the_same_value_has_the_same_placeholder_and_another_has_another(a in "[1-9a-f]{32}", b in "[1-9a-f]{32}", c in "[a-z]{5}-[0-9]{5}") {
        prop_assume!(a != b);
        let mut redactor = Redactor::default();
        let one = redactor.body(&json!({ "id": a, "result": [{ "zone_id": b, "name": c }] }));
        let two = redactor.body(&json!({ "namespace_id": b, "script": c, "author_id": a }));
        prop_assert_eq!(&one["id"], &two["author_id"]);
        prop_assert_eq!(&one["result"][0]["zone_id"], &two["namespace_id"]);
        prop_assert_eq!(&one["result"][0]["name"], &two["script"]);
        prop_assert_ne!(&one["id"], &one["result"][0]["zone_id"]);
        let in_path = redactor.path(&format!("/accounts/{a}/workers/scripts/{c}"));
        prop_assert_eq!(in_path, format!("/accounts/{}/workers/scripts/{}", one["id"].as_str().unwrap(), two["script"].as_str().unwrap()));
    }
}

#[test]
fn an_answer_is_shown_with_its_form_and_the_apis_own_words() {
    let mut redactor = Redactor::default();
    redactor.name("glow", redact::GATEWAY);
    let body = json!({
        "result": { "items": [{
            "id": "7f1f1d3c-0a1b-4000-8000-0d0e0f101112", "number": 3,
            "metadata": { "created_on": "2026-09-29T06:57:41.141552Z", "source": "api", "author_email": "a@glow.trade", "has_preview": true },
            "annotations": { "workers/triggered_by": "upload", "workers/message": "Automatic deployment on upload." },
            "bindings": [{ "type": "secret_text", "name": "WEBHOOK_SECRET" }, { "type": "plain_text", "name": "OURS", "text": "upload" }],
        }] },
        "success": false,
        "errors": [{ "code": 10007, "message": "This Worker does not exist on your account: glow-prices." }],
        "messages": null,
        "result_info": { "page": 1, "per_page": 10, "count": 1, "total_count": 12345678 },
        "script": "glow",
    });
    assert_eq!(
        redactor.body(&body),
        json!({
            "result": { "items": [{
                "id": "00000000-0000-4000-8000-000000000001", "number": 3,
                "metadata": { "created_on": "2026-01-01T00:00:00.000000Z", "source": "api", "author_email": "person-1@example.com", "has_preview": true },
                "annotations": { "workers/triggered_by": "upload", "workers/message": "Automatic deployment on upload." },
                "bindings": [{ "type": "secret_text", "name": "WEBHOOK_SECRET" }, { "type": "plain_text", "name": "text-1", "text": "text-2" }],
            }] },
            "success": false,
            "errors": [{ "code": 10007, "message": "This Worker does not exist on your account: …." }],
            "messages": null,
            "result_info": { "page": 1, "per_page": 10, "count": 1, "total_count": 1 },
            "script": "S",
        })
    );
}

fn exchange(path: &str, status: u16, body: &Value) -> Exchange {
    Exchange {
        method: "GET".to_owned(),
        path: path.to_owned(),
        query: vec![
            ("per_page".to_owned(), "50".to_owned()),
            (
                "account.id".to_owned(),
                "0a1b2c3d4e5f0a1b2c3d4e5f0a1b2c3d".to_owned(),
            ),
        ],
        sent: Sent::Nothing,
        status,
        headers: BTreeMap::from(
            [
                ("ratelimit", "\"default\";r=1199;t=1"),
                ("ratelimit-policy", "\"default\";q=1200;w=300;user=glow"),
                ("cf-ray", "8f0a1b2c3d4e5f60-FRA"),
                ("set-cookie", "__cf=glow"),
                ("content-type", "application/json"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
        ),
        body: body.to_string().into_bytes(),
    }
}

#[test]
fn a_report_has_one_line_of_every_shape_in_the_form_of_the_recorded_ones() {
    let mut report = Report::default();
    for script in ["prices", "trades", "prices"] {
        let path =
            format!("/accounts/0a1b2c3d4e5f0a1b2c3d4e5f0a1b2c3d/workers/scripts/{script}/settings");
        let body = json!({ "success": true, "result": { "tags": [script] }, "errors": [] });
        report.add(&exchange(&path, 200, &body));
        let error = json!({ "code": 10007, "message": script });
        let body = json!({ "success": false, "result": null, "errors": [error] });
        report.add(&exchange(&path, 404, &body));
    }
    assert_eq!(
        report.text(),
        concat!(
            r#"{"m":"GET","p":"/accounts/00000000000000000000000000000001/workers/scripts/text-1/settings","q":"per_page=50&account.id=00000000000000000000000000000001","status":200,"headers":{"Ratelimit":"\"default\";r=1199;t=1","Ratelimit-Policy":"…"},"body":{"errors":[],"result":{"tags":["text-1"]},"success":true}}"#,
            "\n",
            r#"{"m":"GET","p":"/accounts/00000000000000000000000000000001/workers/scripts/text-1/settings","q":"per_page=50&account.id=00000000000000000000000000000001","status":404,"headers":{"Ratelimit":"\"default\";r=1199;t=1","Ratelimit-Policy":"…"},"body":{"errors":[{"code":10007,"message":"…"}],"result":null,"success":false}}"#,
            "\n"
        )
    );
    assert_eq!(report.size(), (6, 2));
    let refusal = Refusal {
        call: "GET /accounts/*/workers/scripts/*/settings".to_owned(),
        status: 404,
        codes: vec!["10007".to_owned()],
    };
    assert_eq!(report.take_refusals(), vec![refusal; 3]);
    assert_eq!(report.take_refusals(), []);
}

#[test]
fn what_is_not_json_is_told_by_its_type_alone() {
    let mut report = Report::default();
    let mut page = exchange("/user", 403, &Value::Null);
    page.query.clear();
    page.body = b"<html>glow.trade is blocked</html>".to_vec();
    page.headers = BTreeMap::from([(
        "content-type".to_owned(),
        "text/html; charset=glow".to_owned(),
    )]);
    page.sent = Sent::Parts {
        parts: vec![
            ("index.js".to_owned(), "application/wasm".to_owned()),
            ("glow.js".to_owned(), String::new()),
        ],
        metadata: json!({ "main_module": "index.js", "bindings": [{ "type": "secret_text", "name": "WEBHOOK_SECRET", "text": "whsec_glow" }] }),
    };
    report.add(&page);
    page.sent = Sent::Other("application/x-glow".to_owned());
    report.add(&page);
    assert_eq!(
        report.text(),
        concat!(
            r#"{"m":"GET","p":"/user","status":403,"headers":{"Content-Type":"text/html"},"body":null,"sent":{"metadata":{"bindings":[{"name":"WEBHOOK_SECRET","text":"text-1","type":"secret_text"}],"main_module":"index.js"},"parts":[{"module":"index.js","type":"application/wasm"},{"module":"host-1.example.com","type":""}]}}"#,
            "\n",
            r#"{"m":"GET","p":"/user","status":403,"headers":{"Content-Type":"text/html"},"body":null,"sent":{"type":"…"}}"#,
            "\n"
        )
    );
}
