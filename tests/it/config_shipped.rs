//! The shipped `config.toml` and the defaults in the types: two forms of one text.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use confique::Config as _;
use confique::meta::{Expr, Field, FieldKind, LeafKind};
use revokd::config::{Config, FilterMode, ListenAddress, LogFormat, Origin, Schedule};

use crate::config_support::ConfigCase as Case;

pub(crate) const SHIPPED: &str = include_str!("../../config.toml");

#[test]
fn the_shipped_file_says_what_the_types_say() {
    let rendered = render();
    if std::env::var_os("UPDATE_CONFIG_TOML").is_some() {
        fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/config.toml"), &rendered).unwrap();
    }
    assert!(SHIPPED == rendered, "config.toml is out of date: run this test once with UPDATE_CONFIG_TOML=1");
}

#[test]
fn the_shipped_file_and_the_defaults_agree_key_by_key() {
    let shipped = Case::file(SHIPPED);
    let defaults = Case::file("");
    let (shipped_loaded, defaults_loaded) = (shipped.load().unwrap(), defaults.load().unwrap());
    for (ours, theirs) in shipped_loaded.settings().into_iter().zip(defaults_loaded.settings()) {
        assert_eq!(ours.key, theirs.key);
        match ours.key.as_str() {
            "issuers" | "tls.clients" | "gateways" => {
                assert_eq!((ours.origin, theirs.origin), (Origin::Default, Origin::Default));
            }
            // Each is made absolute from its own directory.
            "store.path" => assert!(ours.toml().ends_with("/data\"") && theirs.toml().ends_with("/data\"")),
            key => {
                assert_eq!(ours.value, theirs.value, "{key}");
                assert!(matches!(ours.origin, Origin::File { .. }), "{key} is missing in config.toml");
                assert_eq!(theirs.origin, Origin::Default);
            }
        }
    }
}

#[test]
fn the_defaults_are_those_that_tools_rely_on() {
    let config = Config::defaults().unwrap();
    assert_eq!(config.server.listen, [ListenAddress::Tcp("127.0.0.1:7009".to_owned())]);
    assert_eq!(config.store.path, Path::new("./data"));
    assert_eq!((config.tokens.lifetime_max_s, config.tokens.leeway_s), (2_678_400, 300));
    assert!((config.filter.false_positive_rate - 1e-4).abs() < f64::EPSILON);
    assert_eq!(config.filter.mode, FilterMode::On);
    assert_eq!(config.purge.schedule, Schedule::Cron("0 * * * * *".to_owned()));
    assert_eq!(config.log.format, LogFormat::Auto);
    assert!(config.check.required.is_empty() && config.issuers.is_empty());
}

#[test]
fn the_example_of_an_issuer_in_the_shipped_file_can_be_used() {
    let config = Case::file(&example("issuers")).config();
    assert_eq!((config.issuers.len(), config.issuers[0].keys.len()), (1, 2));
}

#[test]
fn the_example_of_a_gateway_in_the_shipped_file_can_be_used() {
    let tls = "[server]\nlisten = [\"tls://127.0.0.1:1\", \"unix:/run/revokd/edge.sock\"]\n[tls]\n\
               certificate_file = \"a\"\nkey_file = \"b\"\nclient_ca_file = \"c\"\n";
    let config =
        Case::file(&[tls, &example("tls.clients"), &example("issuers"), &example("gateways")].join("\n")).config();
    assert_eq!(config.gateways.len(), 1);
}

/// The section of that name which the shipped file shows commented out.
fn example(section: &str) -> String {
    let head = format!("# [[{section}]]");
    let lines = SHIPPED.lines().skip_while(|line| *line != head).take_while(|line| !line.is_empty());
    lines.map(|line| line.trim_start_matches('#').trim_start()).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_example_of_a_tls_client_in_the_shipped_file_can_be_used() {
    let tls = "[server]\nlisten = \"tls://127.0.0.1:1\"\n[tls]\ncertificate_file = \"a\"\nkey_file = \"b\"\n\
               client_ca_file = \"c\"\n";
    let issuer = "[[issuers]]\niss = \"https://auth.example\"\n";
    let case = Case::file(&format!("{tls}{}\n{issuer}", example("tls.clients")));
    let config = case.config();
    assert_eq!(config.tls.clients[0].san.to_string(), "dns:gateway.internal");
    assert_eq!(
        (&*config.tls.clients[0].issuers[0], &*config.tls.clients[0].client_ids[0]),
        ("https://auth.example", "shop")
    );
    let settings = config.tls_settings().unwrap();
    assert_eq!(settings.client_ca_file, Some(case.dir.path().join("c")));
}

/// `config.toml`, from the docs and defaults of the types.
fn render() -> String {
    let mut out = comment(Config::META.doc);
    let (leaves, sections): (Vec<&Field>, Vec<_>) =
        Config::META.fields.iter().partition(|field| matches!(field.kind, FieldKind::Leaf { .. }));
    for section in sections {
        let FieldKind::Nested { meta } = section.kind else { unreachable!() };
        write!(out, "\n{}[{}]\n", comment(section.doc), section.name).unwrap();
        for (index, key) in meta.fields.iter().enumerate() {
            let FieldKind::Leaf { kind: LeafKind::Required { default: Some(default) }, .. } = key.kind else {
                panic!("{} has no default", key.name)
            };
            let gap = if index == 0 { "" } else { "\n" };
            write!(out, "{gap}{}", comment(key.doc)).unwrap();
            // Of what is a list of sections the example stands there, which a value would forbid to use.
            if !key.doc.iter().any(|line| line.trim_start().starts_with("```")) {
                writeln!(out, "{} = {}", key.name, literal(&default)).unwrap();
            }
        }
    }
    for leaf in leaves {
        write!(out, "\n{}", comment(leaf.doc)).unwrap();
    }
    out
}

fn comment(doc: &[&str]) -> String {
    let lines = doc.iter().filter(|line| !line.trim_start().starts_with("```"));
    lines.fold(String::new(), |mut out, line| {
        let line = format!("# {}", line.strip_prefix(' ').unwrap_or(line));
        out.push_str(line.trim_end());
        out.push('\n');
        out
    })
}

fn literal(value: &Expr) -> String {
    match value {
        Expr::Str(text) => format!("{text:?}"),
        Expr::Float(number) => number.to_string(),
        Expr::Integer(number) => number.to_string(),
        Expr::Bool(value) => value.to_string(),
        Expr::Array(elements) => format!("[{}]", elements.iter().map(literal).collect::<Vec<_>>().join(", ")),
        other => panic!("{other:?} is not used"),
    }
}
