//! `revokd config check` and `revokd config show`.

use std::fs;

use tempfile::TempDir;

use crate::cli_support::run;

#[test]
fn config_check_names_every_mistake_and_leaves_with_1() {
    let dir = TempDir::new().unwrap();
    let ran = run(dir.path(), &["config", "check"], &[], "");
    assert_eq!(ran.code, 0);
    assert!(ran.stdout.starts_with("ok: "), "{}", ran.stdout);
    fs::write(dir.path().join("config.toml"), "[log]\nlevel = \"loud\"\n[stor]\n").unwrap();
    let variables = [("REVOKD__CHECK__READS_MAX", "0"), ("REVOKD__CHECK__REEDS_MAX", "1")];
    let ran = run(dir.path(), &["config", "check"], &variables, "");
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""));
    for part in [
        "4 mistakes",
        "config.toml:2: `log.level`",
        "config.toml:3:2: unknown key `stor`",
        "REEDS_MAX",
        "from 1 to 512",
    ] {
        assert!(ran.stderr.contains(part), "{part} in {}", ran.stderr);
    }
    let ran = run(dir.path(), &["config", "check", "--json"], &variables, "");
    assert_eq!((ran.code, ran.json()["problems"].as_array().unwrap().len()), (1, 4));
    let files: Vec<_> = fs::read_dir(dir.path()).unwrap().collect();
    assert_eq!(files.len(), 1, "no side effects");
}

#[test]
fn config_show_is_a_config_again_and_says_where_values_come_from() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("config.toml"), "[check]\nreads_max = 5\n[[issuers]]\niss = \"i\"\n").unwrap();
    let variables = [("REVOKD__CHECK__READ_TIMEOUT_MS", "77")];
    let ran = run(dir.path(), &["config", "show", "--origin", "--set", "tokens.leeway_s=60"], &variables, "");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for line in [
        "reads_max = 5  # ./config.toml:2",
        "read_timeout_ms = 77  # environment REVOKD__CHECK__READ_TIMEOUT_MS",
        "leeway_s = 60  # --set",
        "keyless = false  # default",
    ] {
        assert!(ran.stdout.lines().any(|shown| shown == line), "{line} in {}", ran.stdout);
    }
    fs::write(dir.path().join("again.toml"), &ran.stdout).unwrap();
    let again = run(dir.path(), &["config", "show", "--config", "again.toml", "--json"], &[], "");
    let once = run(dir.path(), &["config", "show", "--json", "--set", "tokens.leeway_s=60"], &variables, "");
    assert_eq!(again.json(), once.json());
    assert_eq!(once.json()["check.reads_max"], 5);
}

#[test]
fn a_config_file_is_named_by_flag_before_environment() {
    let dir = TempDir::new().unwrap();
    for (name, value) in [("config.toml", 1), ("env.toml", 2), ("flag.toml", 3)] {
        fs::write(dir.path().join(name), format!("[check]\nreads_max = {value}\n")).unwrap();
    }
    let reads_max = |arguments: &[&str], environment: &[(&str, &str)]| {
        let ran = run(dir.path(), &[&["config", "show", "--json"], arguments].concat(), environment, "");
        ran.json()["check.reads_max"].clone()
    };
    assert_eq!(reads_max(&[], &[]), 1);
    assert_eq!(reads_max(&[], &[("REVOKD_CONFIG", "")]), 1);
    assert_eq!(reads_max(&[], &[("REVOKD_CONFIG", "env.toml")]), 2);
    assert_eq!(reads_max(&["--config", "flag.toml"], &[("REVOKD_CONFIG", "env.toml")]), 3);
    let ran = run(dir.path(), &["config", "show"], &[("REVOKD_CONFIG", "none.toml")], "");
    assert!(ran.code == 1 && ran.stderr.contains("none.toml"), "{}", ran.stderr);
}
