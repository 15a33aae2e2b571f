//! A forger who knows the formats and makes every checksum fit: only the chain gives them away.

use revokd::journal::JournalError;
use xxhash_rust::xxh3::xxh3_128;

use super::{OPTIONS, aged, in_archive, verified};
use crate::journal_support::{SimDisk, open};

const HEADER: usize = 88;

/// The frames of a segment: where each begins and ends.
fn frames(bytes: &[u8]) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut at = 0;
    while bytes.get(at..at + 3) == Some(&[0xFF, b'R', b'J']) {
        let events = u32::from_le_bytes(bytes[at + 4..at + 8].try_into().unwrap());
        let end = at + HEADER + usize::try_from(events).unwrap() + 16;
        found.push((at, end));
        at = end;
    }
    found
}

/// Makes every checksum of the store fit again, as somebody would who knows the format: numbers, the chain of checksums
/// within the segment, and what the manifest says of it. Heads are left alone.
fn fix_checksums(disk: &SimDisk, path: &str, bytes: &mut [u8]) {
    let mut before: Option<[u8; 16]> = None;
    for (number, (start, end)) in frames(bytes).into_iter().enumerate() {
        bytes[start + 8..start + 16].copy_from_slice(&(number as u64).to_le_bytes());
        if let Some(before) = before {
            bytes[start + 40..start + 56].copy_from_slice(&before);
        }
        let own = xxh3_128(&bytes[start..end - 16]).to_le_bytes();
        bytes[end - 16..end].copy_from_slice(&own);
        before = Some(own);
    }
    let frames = frames(bytes);
    let id = u64::from_str_radix(&path.split_once('/').unwrap().1[..16], 16).unwrap();
    let mut manifest = disk.bytes("journal/MANIFEST");
    let body = manifest.len() - 16;
    for at in (112..body).step_by(104) {
        if manifest[at..at + 8] == id.to_le_bytes() {
            manifest[at + 32..at + 40].copy_from_slice(&(frames.len() as u64).to_le_bytes());
            manifest[at + 40..at + 48].copy_from_slice(&(bytes.len() as u64).to_le_bytes());
            manifest[at + 48..at + 64].copy_from_slice(&before.unwrap());
        }
    }
    let own = xxh3_128(&manifest[..body]).to_le_bytes();
    manifest[body..].copy_from_slice(&own);
    disk.put("journal/MANIFEST", &manifest);
    disk.put(path, bytes);
}

/// What a forger may do to the frames of a segment.
fn forgeries(bytes: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let all = frames(bytes);
    let with_events: Vec<_> = all.iter().copied().filter(|(start, end)| end - start > HEADER + 16).collect();
    let mut forged = Vec::new();
    let (start, end) = with_events[0];
    // The last byte of the first event's `jti`: text behind it is absent, which takes two bytes each.
    let event_len = u32::from_le_bytes(bytes[start + HEADER..start + HEADER + 4].try_into().unwrap()) as usize;
    let mut altered = bytes.to_vec();
    altered[start + HEADER + 4 + event_len - 5] ^= 1;
    forged.push(("altered", altered));
    forged.push(("removed", [&bytes[..start], &bytes[end..]].concat()));
    if let Some((second, second_end)) = with_events.get(1).copied() {
        let parts = [&bytes[..start], &bytes[second..second_end], &bytes[start..end], &bytes[second_end..]];
        forged.push(("reordered", parts.concat()));
    }
    // One event of a frame, with the length of the frame made to fit.
    let mut shorter = [&bytes[..start + HEADER], &bytes[start + HEADER + 4 + event_len..]].concat();
    let events = u32::try_from(end - start - HEADER - 16 - 4 - event_len).unwrap();
    shorter[start + 4..start + 8].copy_from_slice(&events.to_le_bytes());
    forged.push(("an event removed", shorter));
    forged.retain(|(_, bytes)| !frames(bytes).is_empty());
    forged
}

#[test]
fn a_record_altered_removed_or_moved_with_all_checksums_made_to_fit_is_found_wherever_it_lies() {
    let (disk, _) = aged();
    verified(&disk).unwrap();
    let (mut tried, mut at_start) = (0, 0);
    for path in disk.segments().into_iter().chain(in_archive(&disk)) {
        let whole = disk.bytes(&path);
        if frames(&whole).iter().all(|(start, end)| end - start == HEADER + 16) {
            continue;
        }
        for (how, mut bytes) in forgeries(&whole) {
            let disk = disk.copy();
            fix_checksums(&disk, &path, &mut bytes);
            let error = verified(&disk).expect_err(&format!("{path} {how}"));
            let JournalError::Damaged { file, what, .. } = &error else { panic!("{path} {how}: {error:?}") };
            assert!(*file == path || file == "journal/MANIFEST" || what.contains("event"), "{path} {how}: {error}");
            tried += 1;
            if path.starts_with("journal/") {
                at_start += u64::from(open(&disk, OPTIONS).is_err());
            }
        }
    }
    assert!(tried > 30 && at_start > 0, "{tried} {at_start}");
}

#[test]
fn the_forger_of_these_tests_fools_everything_but_the_chain() {
    let (disk, _) = aged();
    for path in disk.segments().into_iter().chain(in_archive(&disk)) {
        let disk = disk.copy();
        let mut same = disk.bytes(&path);
        fix_checksums(&disk, &path, &mut same);
        verified(&disk).unwrap_or_else(|error| panic!("{path}: {error}"));
    }
}
