//! Certificates that change on disk while connections are open.

use revokd::tls::{Renewal, Renewed};

use super::super::patient;
use super::Secured;
use crate::certificates::replace;

#[tokio::test]
async fn a_renewed_certificate_is_for_new_handshakes_and_a_broken_one_for_none() {
    let secured = Secured::start(patient()).await;
    let ours = &secured.authority;
    let (certificate_file, key_file) = (ours.path("server.pem"), ours.path("server.key"));
    let mut renewal = Renewal::new(secured.tls.clone());
    let mut before = secured.connect().await;
    assert_eq!(renewal.look(false), Renewed::Nothing);
    let renewed = ours.server(&["localhost"]);
    // In the middle of being replaced the two do not belong together.
    replace(&certificate_file, &renewed.certificate_pem);
    let Renewed::Refused(error) = renewal.look(false) else { panic!("taken") };
    assert!(error.to_string().contains("tls.key_file") && error.to_string().contains("server.key"), "{error}");
    assert_eq!(renewal.look(false), Renewed::Nothing, "said once");
    assert_eq!(secured.connect().await.leaf(), before.leaf());
    replace(&key_file, &renewed.key_pem());
    assert!(matches!(renewal.look(false), Renewed::Taken(_)));
    let mut after = secured.connect().await;
    assert_eq!(after.leaf(), renewed.certificate);
    assert_ne!(before.leaf(), renewed.certificate);
    assert_eq!(before.ask("/").await.unwrap(), "ok");
    assert_eq!(after.ask("/").await.unwrap(), "ok");
    assert_eq!(renewal.look(false), Renewed::Nothing);
    assert!(matches!(renewal.look(true), Renewed::Taken(_)), "who asks is answered");
    std::fs::remove_file(&key_file).unwrap();
    assert!(matches!(renewal.look(false), Renewed::Refused(_)));
    replace(&certificate_file, "-----BEGIN CERTIFICATE-----\nbroken\n-----END CERTIFICATE-----\n");
    let Renewed::Refused(error) = renewal.look(false) else { panic!("taken") };
    assert!(error.to_string().contains("tls.certificate_file"), "{error}");
    assert!(matches!(renewal.look(true), Renewed::Refused(_)), "who asks is answered");
    assert_eq!(secured.connect().await.leaf(), renewed.certificate);
}

/// As Kubernetes and certbot renew: the names are links, and what they lead to is exchanged.
#[tokio::test]
async fn files_behind_links_are_renewed_too() {
    let secured = Secured::start(patient()).await;
    let ours = &secured.authority;
    let mut renewal = Renewal::new(secured.tls.clone());
    let renewed = ours.server(&["localhost"]);
    let (certificate_file, key_file) = ours.write("next", &renewed);
    for (name, target) in [("server.pem", certificate_file), ("server.key", key_file)] {
        let link = ours.path("link");
        std::os::unix::fs::symlink(target, &link).unwrap();
        std::fs::rename(&link, ours.path(name)).unwrap();
    }
    assert!(matches!(renewal.look(false), Renewed::Taken(_)));
    assert_eq!(secured.connect().await.leaf(), renewed.certificate);
    ours.write("next", &ours.server(&["localhost"]));
    assert!(matches!(renewal.look(false), Renewed::Taken(_)));
    assert_ne!(secured.connect().await.leaf(), renewed.certificate);
}
