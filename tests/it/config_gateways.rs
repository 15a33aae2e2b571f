//! `[[gateways]]`: whose each is must be somebody's, and nobody else's.

use crate::config_support::ConfigCase as Case;

const ISSUER: &str = "[[issuers]]\niss = \"https://a\"\n";

fn problems(server: &str, gateways: &str) -> String {
    Case::file(&format!("{server}{ISSUER}{gateways}")).problems().join("\n")
}

#[test]
fn sections_are_judged_one_by_one_and_by_name() {
    for (gateways, named) in [
        ("name = \"a\"\n", "it is nobody's"),
        ("name = \"a b\"\nkeys = [\"0123456789ab\"]\n", "`name` must have"),
        ("name = \"a\"\nkeys = [\"0123\"]\n", "`keys` holds what is no id"),
        ("name = \"a\"\nkeys = [\"0123456789ab\", \"0123456789ab\"]\n", "\"0123456789ab\" is also another's"),
        ("name = \"a\"\nkeys = [\"0123456789ab\"]\ntokens_in = [\"query\"]\n", "\"query\" is neither"),
        ("name = \"a\"\nkeys = [\"0123456789ab\"]\nmode = \"open\"\n", "`verify` or `trust`"),
        ("name = \"a\"\ncertificates = [\"dns:gate\"]\n", "no [[tls.clients]] with the scope check"),
        ("name = \"a\"\nlisten = [\"unix:/a\"]\n", "which `server.listen` does not"),
        ("name = \"a\"\nkey = \"0123456789ab\"\n", "unknown field `key`"),
    ] {
        let said = problems("", &format!("[[gateways]]\n{gateways}"));
        assert!(said.contains(named) && said.lines().count() == 1, "{gateways}: {said}");
    }
    let two = "[[gateways]]\nname = \"a\"\nkeys = [\"0123456789ab\"]\n";
    let said = problems("", &two.repeat(2));
    assert!(said.contains("another section has the same `name`") && said.contains("is also another's"), "{said}");
}

#[test]
fn a_listener_stands_for_a_gateway_only_where_nobody_else_reaches_it() {
    let gateway = |address: &str| format!("[[gateways]]\nname = \"a\"\nlisten = [\"{address}\"]\n");
    let server = "[server]\nlisten = [\"0.0.0.0:1\", \"127.0.0.1:2\", \"unix:/a\"]\n";
    assert!(problems(server, &gateway("0.0.0.0:1")).contains("neither loopback nor unix"));
    for fine in ["127.0.0.1:2", "unix:/a"] {
        let case = Case::file(&format!("{server}{ISSUER}{}", gateway(fine)));
        assert_eq!(case.config().gateways[0].listen, [fine]);
    }
}

#[test]
fn what_is_to_be_verified_needs_issuers() {
    let gateway = "[[gateways]]\nname = \"a\"\nkeys = [\"0123456789ab\"]\n";
    let said = Case::file(gateway).problems().join("\n");
    assert!(said.contains("there are no [[issuers]]"), "{said}");
    Case::file(&format!("{gateway}mode = \"trust\"\n")).config();
}

#[test]
fn they_are_set_in_the_file_only() {
    let case = Case::file("").variable("REVOKD__GATEWAYS", "[]");
    assert!(case.problems().join("\n").contains("`gateways` can be set in the config file only"));
}
