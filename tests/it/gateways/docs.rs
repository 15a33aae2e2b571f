//! The pages about gateways say what the tested files hold, and what tests have seen.

use std::fs;
use std::path::Path;

use super::process::{Gateway, shipped};

/// Holds the page of a gateway against its files, and against what a client of it is told.
pub(super) fn the_page_is_of_the_tested_files(gateway: &Gateway) {
    let name = gateway.files[0].split('/').next().unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("docs/gateways/{name}.md"));
    let page = fs::read_to_string(path).unwrap();
    for file in gateway.files {
        let text = fs::read_to_string(shipped().join(file)).unwrap();
        assert!(page.contains(&format!("\n{text}```\n")), "docs/gateways/{name}.md does not quote {file} as it is");
    }
    let retry = if gateway.has_retry_after { " and `Retry-After: 1`" } else { "" };
    for row in [
        format!("| does not run, or takes no more connections | {}{retry}, at once |", gateway.status_down),
        format!("| hangs | {}{retry}, after a second |", gateway.status_slow),
    ] {
        assert!(page.contains(&row), "docs/gateways/{name}.md lacks {row:?}");
    }
}
