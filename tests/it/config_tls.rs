//! `[tls]` and `tls://` addresses: what must agree.

use revokd::tls::ClientAuth;

use crate::config_support::ConfigCase as Case;

const FILES: &str = "certificate_file = \"a.pem\"\nkey_file = \"b.pem\"\n";

fn with_listener(tls: &str) -> Case {
    Case::file(&format!("[server]\nlisten = [\"127.0.0.1:1\", \"tls://0.0.0.0:2\"]\n[tls]\n{tls}"))
}

#[test]
fn a_tls_address_needs_certificate_and_key_and_they_need_it() {
    let problems = with_listener("").problems();
    for (problem, key) in problems.iter().zip(["tls.certificate_file", "tls.key_file"]) {
        assert!(problem.contains(&format!("`{key}` is empty, but tls://0.0.0.0:2")), "{problem}");
    }
    assert_eq!(problems.len(), 2, "{problems:?}");
    // Who names a certificate takes the server for encrypted.
    let problems = Case::file(&format!("[tls]\n{FILES}client_ca_file = \"c.pem\"\n")).problems();
    assert_eq!(problems.len(), 3, "{problems:?}");
    assert!(problems.iter().all(|problem| problem.contains("begins with tls://")), "{problems:?}");
    assert!(Case::file("").config().tls_settings().is_none());
}

#[test]
fn paths_start_where_those_of_the_store_do() {
    let case = with_listener(FILES).variable("REVOKD__TLS__KEY_FILE", "c.pem");
    let settings = case.config().tls_settings().unwrap();
    assert_eq!(settings.certificate_file, case.dir.path().join("a.pem"));
    assert_eq!(settings.key_file, std::env::current_dir().unwrap().join("c.pem"));
    assert_eq!((settings.client_ca_file, settings.client_auth), (None, ClientAuth::Optional));
}

#[test]
fn clients_need_an_authority() {
    let problems = with_listener(&format!(
        "{FILES}client_auth = \"required\"\n[[tls.clients]]\nsan = \"dns:a\"\nscopes = [\"check\"]\n"
    ))
    .problems();
    assert_eq!(problems.len(), 2, "{problems:?}");
    for (problem, key) in problems.iter().zip(["tls.client_auth", "tls.clients"]) {
        assert!(problem.contains(&format!("`{key}` needs `tls.client_ca_file`")), "{problem}");
    }
}

#[test]
fn rows_are_judged_one_by_one_with_their_place() {
    let rows = |rows: &str| with_listener(&format!("{FILES}client_ca_file = \"c\"\n{rows}")).problems().join("\n");
    let said = rows(
        "[[tls.clients]]\nsan = \"gateway\"\nscopes = [\"check\"]\n\
         [[tls.clients]]\nsan = \"dns:*.a\"\nscopes = [\"check\"]\n\
         [[tls.clients]]\nsan = \"dns:a\"\nscopes = [\"write\"]\n\
         [[tls.clients]]\nsan = \"dns:a\"\n\
         [[tls.clients]]\nsan = \"dns:a\"\nscopes = [\"check\"]\nissuer = \"x\"\n",
    );
    for (place, part) in [
        ("config.toml:8:7", "\"dns:gateway.internal\" or"),
        ("config.toml:11:7", "no wildcards"),
        ("config.toml:15:10", "\"write\" is no scope"),
        ("config.toml:16:1", "missing field `scopes`"),
        ("config.toml:21:1", "`issuer`"),
    ] {
        let line = said.lines().find(|line| line.starts_with(place)).unwrap_or_else(|| panic!("{place} in {said}"));
        assert!(line.contains(part), "{line}");
    }
    let row = "[[tls.clients]]\nsan = \"dns:a\"\nscopes = [\"check\"]\n";
    assert!(rows(&format!("{row}{}", row.replace("dns:a", "dns:A"))).contains("the same `san` \"dns:a\""));
    assert!(rows(&row.replace("\"check\"", "")).contains("`scopes` is empty"));
}

#[test]
fn checks_without_a_key_are_for_this_machine_only_over_tls_too() {
    let keyless = format!("{FILES}[check]\nkeyless = true\n");
    assert!(with_listener(&keyless).problems()[0].contains("tls://0.0.0.0:2 in `server.listen` is not loopback"));
}

#[test]
fn a_row_is_bound_to_issuers_that_are_configured() {
    let row = "[[tls.clients]]\nsan = \"dns:a\"\nscopes = [\"check\"]\nissuers = [\"https://a\", \"https://b\"]\n";
    let issuer = "[[issuers]]\niss = \"https://a\"\n";
    let problems = with_listener(&format!("{FILES}client_ca_file = \"c\"\n{row}{issuer}")).problems();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].contains("\"dns:a\": `issuers` names \"https://b\""), "{problems:?}");
}
