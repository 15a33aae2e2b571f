//! The configuration: sources, precedence, refusals.

use revokd::config::{Loaded, Origin, Schedule, Sources};
use revokd::token::Selector;
use tempfile::TempDir;

use crate::config_shipped::SHIPPED;
use crate::config_support::{ConfigCase as Case, origin};

#[test]
fn flags_go_before_the_environment_before_the_file_before_the_defaults() {
    let file = "[check]\nreads_max = 1\nread_timeout_ms = 1\nkeyless = true";
    let case = Case::file(file)
        .variable("REVOKD__CHECK__READS_MAX", "2")
        .variable("REVOKD__CHECK__READ_TIMEOUT_MS", "2")
        .flag("check.reads_max=3");
    let loaded = case.load().unwrap();
    let check = &loaded.config.check;
    assert_eq!((check.reads_max, check.read_timeout_ms, check.keyless), (3, 2, true));
    assert!(check.required.is_empty());
    assert_eq!(origin(&loaded, "check.reads_max"), Origin::Flag);
    assert_eq!(
        origin(&loaded, "check.read_timeout_ms"),
        Origin::Environment("REVOKD__CHECK__READ_TIMEOUT_MS".to_owned())
    );
    let Origin::File { path, line } = origin(&loaded, "check.keyless") else { panic!("not from the file") };
    assert_eq!((path, line), (case.dir.path().join("config.toml"), 4));
    assert_eq!(origin(&loaded, "check.required"), Origin::Default);
}

#[test]
fn a_variable_is_a_toml_literal_or_plain_text_whichever_fits() {
    let config = Case::file("")
        .variable("REVOKD__SERVER__LISTEN", "127.0.0.1:1, unix:/run/r.sock")
        .variable("REVOKD__STORE__PATH", "7009")
        .variable("REVOKD__CHECK__REQUIRED", r#"["jti", "sub"]"#)
        .variable("REVOKD__CHECK__KEYLESS", "true")
        .variable("REVOKD__FILTER__FALSE_POSITIVE_RATE", "1e-3")
        .variable("REVOKD__PURGE__SCHEDULE", "off")
        .config();
    assert_eq!(config.server.listen.len(), 2);
    assert!(config.store.path.ends_with("7009"));
    assert_eq!(config.check.required, [Selector::Jti, Selector::Sub]);
    assert!(config.check.keyless);
    assert!((config.filter.false_positive_rate - 1e-3).abs() < f64::EPSILON);
    assert_eq!(config.purge.schedule, Schedule::Off);
}

#[test]
fn rust_log_goes_before_the_file_and_behind_our_own_variable() {
    let file = "[log]\nlevel = \"warn\"";
    assert_eq!(Case::file(file).variable("RUST_LOG", "debug").config().log.level, "debug");
    assert_eq!(Case::file(file).variable("RUST_LOG", "").config().log.level, "warn");
    let both = [("RUST_LOG", "debug"), ("REVOKD__LOG__LEVEL", "trace")];
    for order in [both, [both[1], both[0]]] {
        let case = order.iter().fold(Case::file(file), |case, (name, value)| case.variable(name, value));
        assert_eq!(case.config().log.level, "trace");
    }
}

#[test]
fn a_path_in_the_file_starts_at_the_file_and_one_from_outside_at_the_working_directory() {
    let case = Case::file("[store]\npath = \"sub/data\"");
    assert_eq!(case.config().store.path, case.dir.path().join("sub/data"));
    let here = std::env::current_dir().unwrap();
    let case = Case::file("").variable("REVOKD__STORE__PATH", "./data");
    assert_eq!(case.config().store.path, here.join("data"));
    let case = Case::file("").flag("store.path=data");
    assert_eq!(case.config().store.path, here.join("data"));
}

#[test]
fn a_public_url_is_https_or_on_loopback_and_may_be_left_out() {
    let of = |url: &str| Case::file(&format!("[server]\npublic_url = {url:?}"));
    for good in ["", "https://revokd.example", "http://127.0.0.1:7009"] {
        assert_eq!(of(good).config().server.public_url, good);
    }
    let problems = of("http://revokd.example").problems().join("\n");
    assert!(
        problems.contains("config.toml:2:") && problems.contains("`server.public_url` must begin with https://"),
        "{problems}"
    );
}

#[test]
fn what_is_unknown_is_refused_by_name_and_place() {
    let case = Case::file(
        "nonsense = 1\n\n[server]\nlisten = \"127.0.0.1:1\"\n  lissten = 2\n[sever]\nx = 1\n[check.inner]\n",
    )
    .variable("REVOKD__SERVER__LISSTEN", "x")
    .variable("REVOKD__SEVER__LISTEN", "x")
    .variable("REVOKD__server__LISTEN", "x")
    .variable("REVOKD__ISSUERS", "[]")
    .variable("REVOKD__SERVER", "x")
    .flag("server.nothing=1")
    .flag("server");
    insta::assert_snapshot!(case.problems().join("\n"));
}

#[test]
fn every_mistake_is_named_at_once() {
    let case = Case::file(
        r#"
[server]
listen = ["nowhere", "127.0.0.1:1"]
connections_max = 0
header_timeout_ms = "10 s"
in_flight_ids_max = 5
[store]
segment_bytes = -1
[tokens]
leeway_s = 86401
allow_without_exp = "yes"
[filter]
false_positive_rate = nan
mode = "maybe"
[purge]
schedule = "* * * * *"
[check]
required = ["jti", "iss", "jti", "aud"]
[limits]
line_bytes_max = 1_000_000
ndjson_bytes_max = 2_000
[log]
level = "info,revokd=loud"
format = "xml"
"#,
    )
    .variable("REVOKD__SERVER__GRACE_MS", "-5")
    .variable("REVOKD__CLOCK__HOLD_S", "a day")
    .flag("clock.step_max_s=0");
    insta::assert_snapshot!(case.problems().join("\n"));
}

#[test]
fn values_must_agree() {
    let case = Case::file(
        "[server]\nlisten = [\"127.0.0.1:1\", \"0.0.0.0:1\", \"127.0.0.1:1\"]\n\
         [check]\nkeyless = true\nrequired = [\"iss\", \"jti\", \"jti\"]",
    );
    insta::assert_snapshot!(case.problems().join("\n"));
    assert!(Case::file("[server]\nlisten = []").problems()[0].contains("`server.listen` is empty"));
    assert!(Case::file("[store]\npath = ''").problems()[0].contains("`store.path` is empty"));
    let case = Case::file("[limits]\nbatch_ids_max = 91\n[server]\nin_flight_ids_max = 100");
    assert!(case.problems()[0].contains("more than nine tenths of `server.in_flight_ids_max`"));
    assert!(Case::file("[limits]\nbatch_ids_max = 90\n[server]\nin_flight_ids_max = 100").load().is_ok());
}

#[test]
fn one_body_fits_into_what_is_not_reserved_of_all_bodies() {
    let case = |most: usize| {
        let limits = format!("body_bytes_max = {most}\nndjson_bytes_max = {most}\nbodies_bytes_max = 100_000");
        Case::file(&format!("[limits]\n{limits}"))
    };
    assert!(case(90_000).load().is_ok());
    let problems = case(90_001).problems();
    assert_eq!(problems.len(), 2);
    assert!(problems.iter().all(|problem| problem.contains("nine tenths of `limits.bodies_bytes_max`")));
}

#[test]
fn broken_toml_is_refused_by_line_and_column() {
    let case = Case::file("[server]\nlisten = \n[store\n");
    let problems = case.variable("REVOKD__LIMITS__BATCH_IDS_MAX", "1000000").problems();
    assert!(problems.iter().all(|problem| !problem.contains("in_flight")), "what the file says of it is unknown");
    assert!(problems.len() >= 2, "{problems:?}");
    assert!(problems[0].starts_with("config.toml:2:"), "{problems:?}");
    assert!(problems[1].starts_with("config.toml:3:"), "{problems:?}");
    assert!(Case::file("[log]\n[log]\n").problems()[0].starts_with("config.toml:2:2: "));
}

#[test]
fn issuers_are_judged_one_by_one_and_their_secrets_never_quoted() {
    let case = Case::file(
        "[[issuers]]\niss = \"a\"\nleeway_s = -1\n\n[[issuers]]\niss = \"a\"\nisss = 1\n\n\
         [[issuers]]\niss = 3\n\n[[issuers]]\niss = \"b\"\nkeys = [{ alg = \"HS256\", secret = 31337 }]\n",
    );
    let problems = case.problems().join("\n");
    assert!(!problems.contains("31337"), "{problems}");
    for place in ["config.toml:7:1", "config.toml:10:7", "config.toml:14:"] {
        assert!(problems.contains(place), "{place} in {problems}");
    }
    let same =
        Case::file("[[issuers]]\niss = \"a\"\nleeway_s = -1\n[[issuers]]\niss = \"a\"\n[[issuers]]\niss = \"\"\n");
    let problems = same.problems().join("\n");
    for message in ["`leeway_s` is -1", "the same `iss` \"a\"", "has 0 bytes"] {
        assert!(problems.contains(message), "{message} in {problems}");
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 300, failure_persistence: None, ..Default::default() })]

    #[test]
    fn a_spoilt_file_is_read_or_refused_with_its_place(
        at in 0..SHIPPED.len(),
        cut in 0..60_usize,
        insert in "[ -~\n☂]{0,6}|\\[\\[issuers\\]\\]\n|\\[server\\]\n|\"\"\"|= \\{",
    ) {
        let end = (at + cut).min(SHIPPED.len());
        let text = format!("{}{insert}{}", &SHIPPED[..at], &SHIPPED[end..]);
        if let Err(error) = Case::file(&text).load() {
            for problem in error.problems() {
                proptest::prop_assert!(problem.place() == "default" || problem.place().contains("config.toml:"), "{problem}");
            }
        }
    }
}

#[test]
fn secrets_are_redacted_when_shown() {
    let case = Case::file("[[issuers]]\niss = \"a\"\nkeys = [{ alg = \"HS256\", secret = \"hunter2\" }]\n");
    let loaded = case.load().unwrap();
    let shown = loaded.settings().into_iter().find(|setting| setting.key == "issuers").unwrap();
    assert!(shown.toml().contains(r#"secret = "[redacted]""#) && !shown.toml().contains("hunter2"), "{}", shown.toml());
    assert!(!format!("{loaded:?}").contains("hunter2"));
    assert_eq!(loaded.config.issuers.len(), 1);
}

#[test]
fn a_file_that_is_named_must_be_there() {
    let dir = TempDir::new().unwrap();
    let missing = dir.path().join("none.toml");
    let error = Loaded::load(&Sources::new(Some(&missing), [], &[])).unwrap_err();
    assert!(error.to_string().contains("none.toml") && error.to_string().contains("cannot read"), "{error}");
    let huge = Case::file(&"#".repeat(1_048_577));
    assert!(huge.problems()[0].contains("limit of 1048576 bytes"));
    assert!(Case::file(&"#".repeat(1_048_576)).load().is_ok());
}
