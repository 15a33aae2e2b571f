//! sled panics where its files are damaged. That is caught by whoever watches it; what is left to do is to say so in the
//! log's own words, instead of a raw panic on standard error.

use std::panic;
use std::sync::Once;

/// From now on a panic inside sled is a line of the log. It names the place, not the message: that may quote what the
/// file holds (promise 12). Every other panic is reported as before.
pub fn soften() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| match info.location() {
            Some(at) if at.file().contains("/sled-") => {
                let file = at.file().rsplit_once("/sled-").map_or("", |(_, file)| file);
                tracing::warn!(at = format!("sled-{file}:{}", at.line()), "the index's store panicked; it is damaged");
            }
            _ => before(info),
        }));
    });
}
