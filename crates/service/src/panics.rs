//! What a panic says, and where it says it.

use std::any::Any;
use std::panic::PanicHookInfo;

/// The message of a caught panic.
pub(crate) fn text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic without text")
}

/// Makes panics log lines with their place, in the format of all others.
pub(crate) fn log_panics() {
    std::panic::set_hook(Box::new(|panic: &PanicHookInfo<'_>| {
        let place = panic.location().map_or_else(|| "unknown".to_owned(), ToString::to_string);
        let message = panic.payload_as_str().unwrap_or("a panic without text");
        tracing::error!(target: "panic", { panic.location = place, panic.message = message }, "the code panicked");
    }));
}
