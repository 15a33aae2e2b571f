//! A trace of `strace -f -y`, in the order of what it saw.

use std::path::Path;

/// The lines of a trace; a place in it is a line's number.
pub(super) struct Trace(Vec<String>);

impl Trace {
    pub(super) fn read(path: &Path) -> Self {
        Self(std::fs::read_to_string(path).unwrap().lines().map(ToOwned::to_owned).collect())
    }

    /// The process that strace started.
    pub(super) fn first_pid(&self) -> u32 {
        pid(&self.0[0]).parse().unwrap()
    }

    /// Where the request of this id had arrived, up to its headers: what comes before may be read by another call.
    pub(super) fn request(&self, id: &str) -> usize {
        self.first(id, "recvfrom", "the request")
    }

    /// Where the sending of its answer began.
    pub(super) fn answer(&self, id: &str) -> usize {
        self.first(id, "HTTP/1.1 200", "the answer")
    }

    fn first(&self, id: &str, with: &str, what: &str) -> usize {
        // The id is a header's value, so its end is a line's end.
        let id = format!("{id}\\r\\n");
        let found = self.0.iter().position(|line| line.contains(with) && line.contains(&id));
        found.unwrap_or_else(|| panic!("{what} of {id} is not in the trace"))
    }

    /// How many syncs of a journal segment began after `from` and had ended well before `to`.
    pub(super) fn syncs_within(&self, from: usize, to: usize) -> usize {
        let begun = (from + 1..to).filter(|place| {
            let line = &self.0[*place];
            line.contains(" fdatasync(") && line.contains(".segment>")
        });
        begun.filter(|place| self.ended_well(*place, to)).count()
    }

    /// How many groups of events were written to a journal segment: each is one frame, and begins with its magic.
    pub(super) fn groups_within(&self, from: usize, to: usize) -> usize {
        let written = |line: &&String| line.contains(" pwrite64(") && line.contains(".segment>, \"\\377RJ");
        self.0[from..to].iter().filter(written).count()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the call that began in this line returned 0 before the line `to`.
    fn ended_well(&self, begun: usize, to: usize) -> bool {
        let line = &self.0[begun];
        if !line.contains("<unfinished ...>") {
            return line.ends_with(" = 0");
        }
        let of_thread = |line: &&String| pid(line) == pid(&self.0[begun]);
        self.0[begun + 1..to]
            .iter()
            .find(of_thread)
            .is_some_and(|line| line.contains("resumed>") && line.ends_with("= 0"))
    }

    pub(super) fn lines(&self, from: usize, to: usize) -> String {
        self.0[from.min(to)..=to.max(from)].join("\n")
    }
}

fn pid(line: &str) -> &str {
    line.split(' ').next().unwrap_or_default()
}

#[test]
fn a_sync_counts_only_if_it_began_after_the_request_and_ended_before_the_answer() {
    let sync = "7 fdatasync(13</d/journal/1.segment>) = 0";
    let begun = "7 fdatasync(13</d/journal/1.segment> <unfinished ...>";
    let ended = "7 <... fdatasync resumed>) = 0";
    let (request, answer) = ("5 recvfrom(\"x: a\\r\\n\") = 9", "5 sendto(\"HTTP/1.1 200 x: a\\r\\n\"");
    let syncs = |lines: &[&str]| {
        let trace = Trace(lines.iter().map(ToString::to_string).collect());
        trace.syncs_within(trace.request("a"), trace.answer("a"))
    };
    assert_eq!(syncs(&[request, sync, answer]), 1);
    assert_eq!(syncs(&[request, begun, "6 write()", ended, answer]), 1);
    assert_eq!(syncs(&[sync, request, answer, sync]), 0);
    assert_eq!(syncs(&[begun, request, ended, answer]), 0, "it may have missed the request");
    assert_eq!(syncs(&[request, begun, answer, ended]), 0, "it had not ended");
    assert_eq!(syncs(&[request, "7 fdatasync(13</d/journal/1.segment>) = -1 EIO (Input/output error)", answer]), 0);
    assert_eq!(syncs(&[request, "7 fdatasync(13</d/journal/MANIFEST>) = 0", answer]), 0);
}
