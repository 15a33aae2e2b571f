//! Hostile tokens, each with the refusal it must meet. Each is genuinely signed with the issuer's key: what stops it is
//! the rule under test and nothing else.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops where it is")]

use std::future::Future;
use std::task::{Context, Poll, Waker};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use revokd::token::ClaimError;
use revokd::verifier::{Part, Refusal, VerifiedToken, VerifyError};

use crate::verifier_forging::{
    HEADER, ISS, PAYLOAD, SECRET, assert_all_refused, b64, sign_encoded, signed, verifier, with_claim, with_header,
    with_payload,
};

#[tokio::test]
async fn tokens_of_the_wrong_form() {
    let good = signed(HEADER, PAYLOAD);
    let (message, signature) = good.rsplit_once('.').unwrap();
    let encrypted = format!("{}....", b64(r#"{"alg":"dir","enc":"A256GCM"}"#));
    let header_bad = Refusal::NotBase64Url { part: Part::Header };
    let payload_bad = Refusal::NotBase64Url { part: Part::Payload };
    let signature_bad = Refusal::NotBase64Url { part: Part::Signature };
    // Where the length is no multiple of 3, the last character has bits that are not used; the next one sets one.
    let stray = |text: &str| {
        let last = text.bytes().last().unwrap();
        format!("{}{}", &text[..text.len() - 1], char::from(last + 1))
    };
    let loose_header = stray(&b64(HEADER));
    let loose_payload = stray(&b64(br#"{"a":"b"}  "#));
    assert!(URL_SAFE_NO_PAD.decode(&loose_header).is_err() && URL_SAFE_NO_PAD.decode(&loose_payload).is_err());
    let secret = SECRET.as_bytes();
    assert_all_refused(vec![
        ("nothing", String::new(), Refusal::PartCount { parts: 1 }),
        ("a dot", ".".to_owned(), Refusal::PartCount { parts: 2 }),
        ("two dots", "..".to_owned(), Refusal::NotJson { part: Part::Header }),
        ("no signature part", message.to_owned(), Refusal::PartCount { parts: 2 }),
        ("a fourth part", format!("{good}."), Refusal::PartCount { parts: 4 }),
        ("five parts are a JWE", encrypted, Refusal::Encrypted),
        ("six parts", format!("{good}..."), Refusal::PartCount { parts: 6 }),
        ("many dots", ".".repeat(16_384), Refusal::PartCount { parts: 16_385 }),
        ("a byte too long", "a".repeat(16_385), Refusal::TooLong { bytes: 16_385 }),
        ("megabytes", "a".repeat(5_000_000), Refusal::TooLong { bytes: 5_000_000 }),
        ("a space before", format!(" {good}"), header_bad),
        ("a scheme before", format!("Bearer {good}"), header_bad),
        ("a newline after", format!("{good}\n"), signature_bad),
        ("a newline inside", good.replacen('.', "\n.", 1), header_bad),
        ("a NUL", format!("{good}\0"), signature_bad),
        ("a letter that is not ASCII", format!("é{good}"), header_bad),
        ("JSON for a token", r#"{"a":"b.c.d"}"#.to_owned(), header_bad),
        ("a padded header", sign_encoded(secret, &URL_SAFE.encode(format!("{HEADER} ")), &b64(PAYLOAD)), header_bad),
        ("a padded payload", sign_encoded(secret, &b64(HEADER), &URL_SAFE.encode(format!("{PAYLOAD} "))), payload_bad),
        ("a padded signature", format!("{good}="), signature_bad),
        ("standard base64", sign_encoded(secret, &b64(HEADER), &STANDARD.encode(r#"{"a":"???~~~"}"#)), payload_bad),
        ("stray bits in the header", sign_encoded(secret, &loose_header, &b64(PAYLOAD)), header_bad),
        ("stray bits in the payload", sign_encoded(secret, &b64(HEADER), &loose_payload), payload_bad),
        ("stray bits in the signature", format!("{message}.{}", stray(signature)), signature_bad),
        ("a length no encoder gives", sign_encoded(secret, &b64(HEADER), "AAAAA"), payload_bad),
    ])
    .await;
}

#[tokio::test]
async fn json_that_two_readers_would_read_differently() {
    let in_header = |text: &str| with_header(text);
    let not_json = |part| Refusal::NotJson { part };
    let (header, payload) = (Part::Header, Part::Payload);
    let twice = |part| Refusal::DuplicateMember { part };
    let deep = format!(r#"{{"iss":"{ISS}","a":{}{}}}"#, "[".repeat(40), "]".repeat(40));
    let deeper = format!(r#"{{"alg":"HS256","a":{}1{}}}"#, "{\"a\":".repeat(1_500), "}".repeat(1_500));
    let abyss = "[".repeat(9_000);
    assert_all_refused(vec![
        ("an empty header", signed("", PAYLOAD), not_json(header)),
        ("an empty payload", signed(HEADER, ""), not_json(payload)),
        ("a header that is no UTF-8", signed(b"{\"alg\":\"HS256\xff\"}", PAYLOAD), Refusal::NotUtf8 { part: header }),
        ("a payload that is no UTF-8", signed(HEADER, b"{\"iss\":\"\xc0\xaf\"}"), Refusal::NotUtf8 { part: payload }),
        ("UTF-16", signed(HEADER, [0xff, 0xfe, b'{', 0, b'}', 0]), Refusal::NotUtf8 { part: payload }),
        ("a byte order mark", with_payload(&format!("\u{feff}{PAYLOAD}")), not_json(payload)),
        ("a header and more", in_header(&format!("{HEADER}{HEADER}")), not_json(header)),
        ("a payload and more", with_payload(&format!("{PAYLOAD}x")), not_json(payload)),
        ("two payloads", with_payload(&format!("{PAYLOAD}\n{PAYLOAD}")), not_json(payload)),
        ("a payload and a NUL", with_payload(&format!("{PAYLOAD}\0")), not_json(payload)),
        ("a payload cut short", with_payload(&PAYLOAD[..PAYLOAD.len() - 1]), not_json(payload)),
        ("a trailing comma", with_payload(r#"{"iss":"x",}"#), not_json(payload)),
        ("a comment", with_payload(r#"{"iss":"x"/**/}"#), not_json(payload)),
        ("single quotes", with_payload("{'iss':'x'}"), not_json(payload)),
        ("NaN", with_claim(r#""exp":NaN"#), not_json(payload)),
        ("an infinite number", with_claim(r#""exp":1e999"#), not_json(payload)),
        ("half a surrogate pair", with_claim(r#""jti":"\ud800""#), not_json(payload)),
        ("a raw control character", with_claim("\"jti\":\"\u{1}\""), not_json(payload)),
        ("a header that is a list", in_header(r#"["HS256"]"#), Refusal::NotAnObject { part: header }),
        ("a header that is a string", in_header(r#""HS256""#), Refusal::NotAnObject { part: header }),
        ("a payload that is a list", with_payload(&format!("[{PAYLOAD}]")), Refusal::NotAnObject { part: payload }),
        ("a payload that is a string", with_payload(r#""attacker""#), Refusal::NotAnObject { part: payload }),
        ("a payload that is a number", with_payload("1"), Refusal::NotAnObject { part: payload }),
        ("a payload that is null", with_payload("null"), Refusal::NotAnObject { part: payload }),
        ("a payload that is a token", with_payload(&signed(HEADER, PAYLOAD)), not_json(payload)),
        ("alg twice", in_header(r#"{"alg":"HS256","alg":"none"}"#), twice(header)),
        ("alg twice, the good one last", in_header(r#"{"alg":"none","kid":"k","alg":"HS256"}"#), twice(header)),
        ("kid twice", in_header(r#"{"alg":"HS256","kid":"k","kid":"k"}"#), twice(header)),
        ("twice inside a header member", in_header(r#"{"alg":"HS256","jwk":{"k":1,"k":2}}"#), twice(header)),
        ("iss twice", with_payload(&format!(r#"{{"iss":"{ISS}","iss":"{ISS}"}}"#)), twice(payload)),
        ("jti twice", with_claim(r#""jti":"a","jti":"b""#), twice(payload)),
        ("jti twice, once escaped", with_claim(r#""jti":"a","\u006ati":"b""#), twice(payload)),
        ("exp twice", with_claim(r#""exp":1,"exp":2"#), twice(payload)),
        ("twice deep inside", with_claim(r#""act":{"x":[{"sub":"a","sub":"b"}]}"#), twice(payload)),
        ("nested too deep", with_payload(&deep), Refusal::TooDeep { part: payload }),
        ("a header nested too deep", in_header(&deeper), Refusal::TooDeep { part: header }),
        ("an abyss", with_payload(&format!(r#"{{"a":{abyss}"#)), Refusal::TooDeep { part: payload }),
    ])
    .await;
}

#[tokio::test]
async fn headers_that_ask_for_something_else() {
    let unsigned = |alg: &str| format!("{}.{}.", b64(format!(r#"{{"alg":"{alg}","kid":"k"}}"#)), b64(PAYLOAD));
    let member = |member| Refusal::HeaderMember { member };
    let long_kid = format!(r#"{{"alg":"HS256","kid":"{}"}}"#, "k".repeat(1_025));
    assert_all_refused(vec![
        ("none", unsigned("none"), Refusal::AlgNone),
        ("None", unsigned("None"), Refusal::AlgNone),
        ("NONE", unsigned("NONE"), Refusal::AlgNone),
        ("nOnE", unsigned("nOnE"), Refusal::AlgNone),
        ("none with a good HMAC", with_header(r#"{"alg":"none","kid":"k"}"#), Refusal::AlgNone),
        ("no alg", with_header(r#"{"kid":"k"}"#), Refusal::AlgMissing),
        ("alg null", with_header(r#"{"alg":null}"#), Refusal::AlgMissing),
        ("alg a number", with_header(r#"{"alg":256}"#), Refusal::AlgMissing),
        ("alg a list", with_header(r#"{"alg":["HS256"]}"#), Refusal::AlgMissing),
        ("alg empty", with_header(r#"{"alg":""}"#), Refusal::AlgUnsupported),
        ("alg in lower case", with_header(r#"{"alg":"hs256"}"#), Refusal::AlgUnsupported),
        ("alg with a space", with_header(r#"{"alg":"HS256 "}"#), Refusal::AlgUnsupported),
        ("none with a NUL", with_header(r#"{"alg":"none\u0000"}"#), Refusal::AlgUnsupported),
        ("alg of no JWT", with_header(r#"{"alg":"HS1"}"#), Refusal::AlgUnsupported),
        ("alg of encryption", with_header(r#"{"alg":"dir"}"#), Refusal::AlgUnsupported),
        ("alg on another curve", with_header(r#"{"alg":"ES256K"}"#), Refusal::AlgUnsupported),
        ("Alg is not alg", with_header(r#"{"Alg":"HS256"}"#), Refusal::AlgMissing),
        ("crit", with_header(r#"{"alg":"HS256","kid":"k","crit":["exp"],"exp":1}"#), member("crit")),
        ("crit empty", with_header(r#"{"alg":"HS256","kid":"k","crit":[]}"#), member("crit")),
        ("crit null", with_header(r#"{"alg":"HS256","kid":"k","crit":null}"#), member("crit")),
        ("b64 false", with_header(r#"{"alg":"HS256","kid":"k","b64":false}"#), member("b64")),
        ("crit and b64", with_header(r#"{"alg":"HS256","kid":"k","crit":["b64"],"b64":false}"#), member("crit")),
        ("zip", with_header(r#"{"alg":"HS256","kid":"k","zip":"DEF"}"#), member("zip")),
        ("enc in three parts", with_header(r#"{"alg":"HS256","kid":"k","enc":"A256GCM"}"#), Refusal::Encrypted),
        ("kid a number", with_header(r#"{"alg":"HS256","kid":1}"#), Refusal::Kid),
        ("kid null", with_header(r#"{"alg":"HS256","kid":null}"#), Refusal::Kid),
        ("kid an object", with_header(r#"{"alg":"HS256","kid":{"k":1}}"#), Refusal::Kid),
        ("kid empty", with_header(r#"{"alg":"HS256","kid":""}"#), Refusal::Kid),
        ("kid too long", with_header(&long_kid), Refusal::Kid),
        ("kid in another case", with_header(r#"{"alg":"HS256","kid":"K"}"#), Refusal::KeyUnknown),
        ("kid a path", with_header(r#"{"alg":"HS256","kid":"../../../../dev/null"}"#), Refusal::KeyUnknown),
        ("kid a query", with_header(r#"{"alg":"HS256","kid":"' OR '1'='1"}"#), Refusal::KeyUnknown),
        ("kid a command", with_header(r#"{"alg":"HS256","kid":"k|whoami"}"#), Refusal::KeyUnknown),
        ("another size of hash", with_header(r#"{"alg":"HS384","kid":"k"}"#), Refusal::AlgorithmNotPermitted),
        ("another family", with_header(r#"{"alg":"RS256","kid":"k"}"#), Refusal::AlgorithmNotPermitted),
        ("another family, no kid", with_header(r#"{"alg":"EdDSA"}"#), Refusal::AlgorithmNotPermitted),
    ])
    .await;
}

#[tokio::test]
async fn claims_of_the_wrong_type_size_or_range() {
    let text = |claim| Refusal::ClaimNotString { claim };
    let number = |claim| Refusal::ClaimNotNumber { claim };
    let range = |claim| Refusal::ClaimOutOfRange { claim };
    let long = format!(r#""jti":"{}""#, "j".repeat(10_000));
    assert_all_refused(vec![
        ("jti a number", with_claim(r#""jti":1"#), text("jti")),
        ("jti null", with_claim(r#""jti":null"#), text("jti")),
        ("jti a list", with_claim(r#""jti":["attacker"]"#), text("jti")),
        ("jti an object", with_claim(r#""jti":{}"#), text("jti")),
        ("jti a boolean", with_claim(r#""jti":true"#), text("jti")),
        ("jti empty", with_claim(r#""jti":"""#), Refusal::Claim(ClaimError::Empty { claim: "jti" })),
        ("jti of 10 kB", with_claim(&long), Refusal::Claim(ClaimError::TooLong { claim: "jti", bytes: 10_000 })),
        ("sub a number", with_claim(r#""sub":1"#), text("sub")),
        ("sub null", with_claim(r#""sub":null"#), text("sub")),
        ("sub empty", with_claim(r#""sub":"""#), Refusal::Claim(ClaimError::Empty { claim: "sub" })),
        ("sid a number", with_claim(r#""sid":1"#), text("sid")),
        ("client_id a list", with_claim(r#""client_id":["a"]"#), text("client_id")),
        ("azp a number", with_claim(r#""azp":1"#), text("azp")),
        ("iss a number", with_claim(r#""iss":1"#), text("iss")),
        ("iss null", with_claim(r#""iss":null"#), text("iss")),
        ("iss a list that holds a good one", with_claim(&format!(r#""iss":["{ISS}"]"#)), text("iss")),
        ("iss an object", with_claim(r#""iss":{}"#), text("iss")),
        ("iss empty", with_claim(r#""iss":"""#), Refusal::IssuerUnknown),
        ("iss absent, and two could be meant", with_payload(r#"{"jti":"a"}"#), Refusal::IssuerMissing),
        ("iss unknown", with_claim(r#""iss":"https://attacker.example/""#), Refusal::IssuerUnknown),
        ("iss in another case", with_claim(r#""iss":"HTTPS://issuer.example/""#), Refusal::IssuerUnknown),
        ("iss without its slash", with_claim(r#""iss":"https://issuer.example""#), Refusal::IssuerUnknown),
        ("iss and a NUL", with_claim(r#""iss":"https://issuer.example/\u0000""#), Refusal::IssuerUnknown),
        ("exp a string", with_claim(r#""exp":"4102444800""#), number("exp")),
        ("exp null", with_claim(r#""exp":null"#), number("exp")),
        ("exp a boolean", with_claim(r#""exp":true"#), number("exp")),
        ("exp a list", with_claim(r#""exp":[1]"#), number("exp")),
        ("exp 2^63", with_claim(r#""exp":9223372036854775808"#), range("exp")),
        ("exp 2^64", with_claim(r#""exp":18446744073709551616"#), range("exp")),
        ("exp -2^63-1", with_claim(r#""exp":-9223372036854775809"#), range("exp")),
        ("exp 1e300", with_claim(r#""exp":1e300"#), range("exp")),
        ("exp -1e300", with_claim(r#""exp":-1e300"#), range("exp")),
        ("iat a string", with_claim(r#""iat":"1""#), number("iat")),
        ("iat 1e17", with_claim(r#""iat":1e17"#), range("iat")),
    ])
    .await;
}

#[tokio::test]
async fn no_character_of_a_token_can_be_changed() {
    let (verifier, good) = (verifier(), signed(HEADER, PAYLOAD));
    for at in 0..good.len() {
        for other in b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/=. \n\0" {
            let mut changed = good.clone().into_bytes();
            if changed[at] == *other {
                continue;
            }
            changed[at] = *other;
            let changed = String::from_utf8(changed).unwrap();
            let answer = verifier.verify(&changed).await;
            assert!(matches!(answer, Err(VerifyError::Refused(_))), "{changed}");
        }
    }
}

proptest::proptest! {
    #[test]
    fn no_text_whatever_is_taken_for_a_token(text in "[ -~]*|\\PC*|[A-Za-z0-9_-]*\\.[A-Za-z0-9_-]*\\.[A-Za-z0-9_-]*") {
        let answer = verify_now(&text);
        proptest::prop_assert!(matches!(answer, Err(VerifyError::Refused(_))));
    }

    #[test]
    fn no_payload_however_odd_is_a_panic(header in "\\PC*", payload in "[{}\\[\\]\",:0-9eE.+-]*|\\PC*") {
        let _either = verify_now(&signed(&header, &payload));
        let _either = verify_now(&signed(HEADER, &payload));
    }
}

/// The keys are at hand, so the answer is too.
fn verify_now(token: &str) -> Result<VerifiedToken, VerifyError> {
    let verifier = verifier();
    let answer = std::pin::pin!(verifier.verify(token));
    match answer.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("it waits for something"),
    }
}
